import Glibc
import Testing

@testable import WeirProxy

struct ProcessStatusTests {
    @Test("The system tells of this process what can be true")
    func plausible() throws {
        let status = try #require(ProcessStatus.read())
        #expect(status.cpuNanoseconds > 0)
        #expect(status.openDescriptors >= 3 && status.openDescriptors <= status.maxDescriptors)
        #expect(status.residentBytes > 1 << 20 && status.virtualBytes > status.residentBytes)
        #expect(status.threads >= 1)
    }

    @Test("Another descriptor is one more")
    func descriptors() throws {
        // Other tests open and close descriptors at the same time: enough of them stand out.
        let before = try #require(ProcessStatus.read()).openDescriptors
        let opened = (0..<500).map { _ in dup(1) }
        let after = try #require(ProcessStatus.read()).openDescriptors
        for descriptor in opened { close(descriptor) }
        #expect(after - before > 300 && after - before < 700)
    }

    @Test("The process started in the past, and not long ago")
    func start() throws {
        let now = WallClock.nanoseconds / 1_000_000
        let start = try #require(ProcessStatus.startMilliseconds())
        #expect(start <= now + 1000 && start > now - 86_400_000)
    }
}
