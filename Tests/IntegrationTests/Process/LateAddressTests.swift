import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("An address that this machine does not have yet")
    struct LateAddressTests {
        /// RFC 5737 and RFC 3849: no machine has them.
        private static let addresses = [("192.0.2.77", "tcp4"), ("192.0.2.77", "udp4"), ("2001:db8::77", "tcp6")]

        @Test("without `freebind` it ends the start; with it the route listens and waits for the address")
        func start() throws {
            for (address, scheme) in Self.addresses {
                let port = try Ports.free()
                func route(_ more: String) -> String {
                    "late: { scheme: \(scheme), bind: \"\(address)\", host: 127.0.0.1, port: \"\(port):9\"\(more) }"
                }
                #expect(throws: DeadlineExceeded.self) { try WeirProcess(routes: route("")) }
                let weir = try WeirProcess(routes: route(", freebind: true"))
                #expect(try HTTP.get("/readyz", port: weir.exporterPort).status == 200)
                #expect(try weir.stop() == .code(0))
            }
        }

        @Test("a reload with one such route is refused whole without `freebind`, and taken with it")
        func reload() throws {
            let (port, late) = (try Ports.free(), try Ports.free())
            let present: String = .route("here", port, to: 9)
            let weir = try WeirProcess(routes: present)
            let absent = "late: { scheme: tcp4, bind: 192.0.2.77, host: 127.0.0.1, port: \"\(late):9\""
            try weir.replaceConfiguration(routes: [present, absent + " }"].joined(separator: "\n"))
            weir.process.send(signal: SIGHUP)
            try weir.waitForLog("reload failed", "192.0.2.77")
            try weir.reload(routes: [present, absent + ", freebind: true }"])
        }
    }
}
