import Testing

@testable import WeirProxy

@Suite struct ServiceManagerTests {
    @Test("What is told is what sd_notify(3) asks for, a status of several lines in one")
    func texts() {
        func text(_ notification: ServiceManager.Notification) -> String {
            ServiceManager.text(of: notification, now: 5_000_001_999)
        }
        #expect(text(.ready("3 routes\nREADY=0\r\nx")) == "READY=1\nSTATUS=3 routes READY=0 x")
        #expect(text(.reloading) == "RELOADING=1\nMONOTONIC_USEC=5000001\nSTATUS=reading the configuration again")
        #expect(
            text(.stopping(within: .milliseconds(1500))) == "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=draining")
        #expect(text(.alive) == "WATCHDOG=1")
    }

    @Test(
        "The watchdog is told at half of its time, if it waits for this process",
        arguments: [
            (["WATCHDOG_USEC": "30000000"], Duration.seconds(15)), (["WATCHDOG_USEC": "3"], .milliseconds(10)),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], .seconds(15)),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil), (["WATCHDOG_USEC": "1"], nil),
            (["WATCHDOG_USEC": "-5"], nil), (["WATCHDOG_USEC": "99999999999999999999"], nil),
            (["WATCHDOG_USEC": ""], nil),
            ([:], nil),
        ] as [([String: String], Duration?)])
    func interval(environment: [String: String], expected: Duration?) {
        #expect(ServiceManager.watchdogInterval(environment, processID: 7) == expected)
    }

    @Test("Without a service manager no message is sent")
    func withoutManager() throws {
        #expect(try ServiceManager(environment: [:], processID: 1) == nil)
        #expect(try ServiceManager(environment: ["NOTIFY_SOCKET": ""], processID: 1) == nil)
    }

    @Test("A name that is none is an error that shows it", arguments: ["run/notify", "vsock:2:1", "/" + long])
    func names(name: String) throws {
        let error = #expect(throws: ProxyError.self) {
            try ServiceManager(environment: ["NOTIFY_SOCKET": name], processID: 1)
        }
        #expect(error?.description == "NOTIFY_SOCKET: expected an absolute path or @name, found `\(name)`")
    }

    private static let long = String(repeating: "x", count: 107)
}
