import Glibc
import LinuxIO
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct SpawnedProgramTests {
    private func ending(_ command: [String], environment: [String] = []) throws -> SpawnedProgram.Ending {
        var program = try SpawnedProgram(command, environment: environment)
        return try waitFor("it ends") { program.reap() }
    }

    @Test func `a program's code, or the signal that ended it, is told`() throws {
        #expect(try ending(["/bin/true"]) == .exited(0))
        #expect(try ending(["sh", "-c", "exit 7"]) == .exited(7))
        #expect(try ending(["sh", "-c", "kill -TERM $$"]) == .killed(signal: 15))
        #expect(
            try ending(["sh", "-c", "[ \"$A\" = \"b c\" ] && [ -z \"$HOME\" ]"], environment: ["A=b c"]) == .exited(0))
    }

    @Test func `its descriptor is readable when it has ended, and not before`() throws {
        var program = try SpawnedProgram(["sleep", "3600"], environment: [])
        var descriptor = pollfd(fd: program.number, events: Int16(POLLIN), revents: 0)
        #expect(poll(&descriptor, 1, 0) == 0)
        #expect(program.reap() == nil)
        program.kill()
        #expect(poll(&descriptor, 1, 10_000) == 1)
        #expect(program.reap() == .killed(signal: 9))
    }

    @Test func `what cannot be started is an error, and leaves nothing`() {
        #expect(throws: SystemError(.spawn, ENOENT)) {
            var program = try SpawnedProgram(["/nowhere/program"], environment: [])
            _ = program.reap()
        }
        #expect(throws: SystemError(.spawn, EACCES)) {
            var program = try SpawnedProgram(["/etc/passwd"], environment: [])
            _ = program.reap()
        }
    }

    @Test func `nothing that is open here is open there`() throws {
        let file = Glibc.open("/dev/null", O_RDONLY)
        defer { close(file) }
        #expect(fcntl(file, F_GETFD) == 0)
        #expect(try ending(["sh", "-c", "[ ! -e /proc/$$/fd/\(file) ]"]) == .exited(0))
    }
}
