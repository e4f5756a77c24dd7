import LinuxIO
import TestSupport

/// Runs code that blocks on a thread of its own: the pool of tasks is as small as the machine, and the engine's
/// control plane needs it.
func offPool<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try LinuxIO.Thread.start { continuation.resume(with: Swift.Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Waits on a plain thread for something asynchronous. Never from a task.
func wait<Value: Sendable>(for body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let box = Box<Swift.Result<Value, any Error>?>(nil)
    let done = TestSemaphore()
    Task {
        do {
            let value = try await body()
            box.set(.success(value))
        } catch {
            box.set(.failure(error))
        }
        done.signal()
    }
    done.wait()
    guard let result = box.value else { throw DeadlineExceeded(description: "the task left no result") }
    return try result.get()
}

/// Runs something on a thread of its own that the test ends by closing what it works on.
func inBackground(_ body: @escaping @Sendable () throws -> Void) throws {
    try LinuxIO.Thread.start { try? body() }
}
