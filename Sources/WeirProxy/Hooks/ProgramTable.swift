import LinuxIO

/// A request to run a hook's program.
struct ProgramRequest: Sendable {
    /// The route whose bound it counts for.
    let route: String
    let command: [String]
    /// `NAME=value`.
    let environment: [String]
    /// How many of the route may run at once.
    let concurrency: Int
}

/// The outcome of a request.
enum ProgramResult: Sendable, Equatable {
    case ended(SpawnedProgram.Ending)
    /// It could not be started.
    case failed(SystemError)
    /// The caller has canceled the request; a running program was killed.
    case canceled
}

/// The programs that run and the requests that wait for their turn. Confined to the thread of its loop.
///
/// Each route runs as many as its bound says; the others wait in their order. A slot is free again when a program has
/// really ended, not when its client leaves. The engine bounds the number of clients that wait.
final class ProgramTable {
    typealias Answer = (ProgramResult) -> Void

    private struct Waiting {
        let number: UInt64
        let request: ProgramRequest
        let answer: Answer
    }

    /// The programs of one route.
    private struct RouteQueue {
        var running = 0
        var waiting: [Waiting] = []
    }

    private let loop: EventLoop
    private var queues: [String: RouteQueue] = [:]
    private var running: [UInt64: ProgramRun] = [:]
    private var isClosed = false

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    /// How many programs run, and how many requests wait.
    struct Counts: Equatable, Sendable {
        var running: Int
        var waiting: Int
    }

    /// See ``Counts``.
    var counts: Counts {
        Counts(running: running.count, waiting: queues.values.reduce(0) { $0 + $1.waiting.count })
    }

    /// Runs a program, now or when it is its turn, and calls `answer` once.
    func begin(_ number: UInt64, _ request: ProgramRequest, _ answer: @escaping Answer) {
        if isClosed {
            answer(.canceled)
            return
        }
        let item = Waiting(number: number, request: request, answer: answer)
        if queues[request.route, default: RouteQueue()].running < request.concurrency {
            start(item)
        } else {
            queues[request.route, default: RouteQueue()].waiting.append(item)
        }
    }

    /// Cancels a request. A program that runs is killed, with its whole process group; the result comes after its end.
    func cancel(_ number: UInt64) {
        if let run = running[number] {
            run.kill()
            return
        }
        for (route, queue) in queues {
            guard let index = queue.waiting.firstIndex(where: { $0.number == number }) else { continue }
            let item = queue.waiting[index]
            queues[route]?.waiting.remove(at: index)
            item.answer(.canceled)
            return
        }
    }

    /// Kills what runs and refuses the rest.
    func close() {
        isClosed = true
        for route in queues.keys {
            let waiting = queues[route]?.waiting ?? []
            queues[route]?.waiting = []
            for item in waiting { item.answer(.canceled) }
        }
        for run in running.values { run.kill() }
    }

    private func start(_ item: Waiting) {
        let run: ProgramRun
        do throws(SystemError) {
            run = try ProgramRun(item.request, on: loop)
        } catch {
            // The others get their turn: this one runs nothing, and counts for no concurrency.
            item.answer(.failed(error))
            return
        }
        queues[item.request.route, default: RouteQueue()].running += 1
        running[item.number] = run
        // Proof: the table owns its runs, and ends when the loop does that calls them; a stale one traps.
        run.onEnd = { [unowned self] ending in ended(item, ending) }
    }

    private func ended(_ item: Waiting, _ ending: SpawnedProgram.Ending) {
        let wasKilled = running.removeValue(forKey: item.number)?.isKilled ?? false
        queues[item.request.route]?.running -= 1
        item.answer(wasKilled ? .canceled : .ended(ending))
        startNext(item.request.route)
    }

    private func startNext(_ route: String) {
        while let queue = queues[route], let next = queue.waiting.first, queue.running < next.request.concurrency {
            queues[route]?.waiting.removeFirst()
            start(next)
        }
        if let queue = queues[route], queue.running == 0, queue.waiting.isEmpty { queues[route] = nil }
    }
}

/// One program that runs, until it is reaped.
final class ProgramRun: EventHandler {
    private var program: SpawnedProgram?
    private let loop: EventLoop
    private var token = EventToken.none
    private(set) var isKilled = false
    var onEnd: ((SpawnedProgram.Ending) -> Void)?

    init(_ request: ProgramRequest, on loop: EventLoop) throws(SystemError) {
        self.loop = loop
        program = try SpawnedProgram(request.command, environment: request.environment)
        token = loop.insert(self)
        guard let number = program?.number else { return }
        do throws(SystemError) {
            try loop.add(number, .readable, token: token)
        } catch {
            // No event would report its end: it must not go on.
            kill()
            while program?.reap() == nil {}
            loop.remove(token)
            throw error
        }
    }

    func kill() {
        isKilled = true
        program?.kill()
    }

    func descriptorReady(_ events: EventSet, tag: Int) {
        guard let ending = program?.reap() else { return }
        program = nil
        loop.remove(token)
        let onEnd = onEnd
        self.onEnd = nil
        onEnd?(ending)
    }

    func deferred(tag: Int) {}
    func timerFired(tag: Int, deadline: UInt64) {}
}
