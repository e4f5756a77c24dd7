import Foundation

/// Starts processes from one thread that lives as long as the test run.
///
/// The signal that a child gets at its parent's death is tied to the *thread* that started it (prctl(2),
/// PR_SET_PDEATHSIG), and the threads that run tests come and go.
enum Spawner {
    private struct Request: Sendable {
        let command: [String]
        let environment: [String: String]
        let input: String
        let output: String
        let error: String
        let answer: Answer
    }

    private final class Answer: Sendable {
        let done = TestSemaphore()
        let result = Shared<Result<pid_t, SystemFailure>?>(nil)
    }

    private final class Queue: Sendable {
        let waiting = Shared<[Request]>([])
        let signal = TestSemaphore()
    }

    private static let queue: Queue = {
        let queue = Queue()
        let thread = Thread {
            while true {
                queue.signal.wait()
                guard let request = queue.waiting.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { continue }
                let result = Result { () throws(SystemFailure) in try start(request) }
                request.answer.result.withLock { $0 = result }
                request.answer.done.signal()
            }
        }
        thread.start()
        return queue
    }()

    static func spawn(
        _ command: [String], environment: [String: String], input: String, output: String, error: String
    ) throws -> pid_t {
        let answer = Answer()
        let request = Request(
            command: command, environment: environment, input: input, output: output, error: error, answer: answer)
        queue.waiting.withLock { $0.append(request) }
        queue.signal.signal()
        answer.done.wait()
        return try answer.result.withLock { $0! }.get()
    }

    private static let highestDescriptor: Int32 = 4_096

    private static func start(_ request: Request) throws(SystemFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, request.input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, request.output, writing, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, request.error, writing, 0o644)
        // No socket of a test may live on in a child: its peer would never see the end. Sockets are made CLOEXEC, but
        // `accept` cannot do that in one step here, and closing what is not open does no harm.
        for descriptor in 3..<highestDescriptor { posix_spawn_file_actions_addclose(&actions, descriptor) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of a test runner block signals, and a child inherits the mask: it would never receive SIGTERM.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let arguments = request.command.map { strdup($0) } + [nil]
        let variables = request.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var processID: pid_t = 0
        let status = posix_spawn(&processID, request.command[0], &actions, &attributes, arguments, variables)
        guard status == 0 else { throw SystemFailure("posix_spawn \(request.command)", code: status) }
        return processID
    }
}
