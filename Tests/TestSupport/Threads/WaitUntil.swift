import Glibc

/// A condition that did not come true in time.
package struct DeadlineExceeded: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Asks `condition` again and again until it holds, and throws when it has not within `deadline`.
///
/// This is the one place in all tests that lets time pass. A test that waits says what it waits for.
package func waitUntil(
    _ what: String, deadline: Duration = .seconds(10), _ condition: () throws -> Bool
) throws {
    let clock = ContinuousClock()
    let end = clock.now + deadline
    while true {
        if try condition() { return }
        if clock.now >= end { throw DeadlineExceeded(description: "not within \(deadline): \(what)") }
        poll(nil, 0, 5)
    }
}

/// As ``waitUntil(_:deadline:_:)``, for a value that is there or not yet there.
package func waitFor<Value>(
    _ what: String, deadline: Duration = .seconds(10), _ produce: () throws -> Value?
) throws -> Value {
    var result: Value?
    try waitUntil(what, deadline: deadline) {
        result = try produce()
        return result != nil
    }
    // waitUntil returned, so the last call produced a value.
    return result!
}

/// As above, for tests that are asynchronous themselves.
package func waitUntil(
    _ what: String, deadline: Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + deadline
    while true {
        if try await condition() { return }
        if clock.now >= end { throw DeadlineExceeded(description: "not within \(deadline): \(what)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}
