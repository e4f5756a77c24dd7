import Glibc

/// A system call that failed in a test, with its name and errno.
package struct SystemFailure: Error, CustomStringConvertible, Equatable {
    package let operation: String
    package let code: Int32

    package init(_ operation: String, code: Int32 = errno) {
        self.operation = operation
        self.code = code
    }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// Repeats a system call that a signal interrupted, and throws when it failed otherwise.
@discardableResult
func checked<Result: BinaryInteger>(_ operation: String, _ call: () -> Result) throws -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        if errno == EINTR { continue }
        throw SystemFailure(operation)
    }
}
