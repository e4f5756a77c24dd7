import Testing

@testable import LinuxIO

@Suite struct LocalPortsTests {
    @Test func `ports of the range that are reserved do not count`() {
        #expect(LocalPorts.count(range: "32768\t60999\n", reserved: "\n") == 28_232)
        #expect(LocalPorts.count(range: "100 199", reserved: "1,100,110-119,190-300,5000-6000\n") == 79)
        #expect(LocalPorts.count(range: "100 199", reserved: "1-60000") == 0)
    }

    @Test(arguments: ["", "1", "9 8", "a b", "1 2 3"]) func `without a range there is no count`(range: String) {
        #expect(LocalPorts.count(range: range, reserved: "") == nil)
    }

    @Test func `the kernel says how many there are`() {
        #expect((LocalPorts.count() ?? 0) > 0)
    }
}
