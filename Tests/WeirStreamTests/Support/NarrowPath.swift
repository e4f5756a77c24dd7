import TestSupport

/// Here and beyond a router, with a second link that takes shorter packets than the first. Home is 10.77.0.1, the far
/// end 10.78.0.2.
struct NarrowPath {
    let home: NetworkNamespace
    let router: NetworkNamespace
    let far: NetworkNamespace

    init() throws {
        home = try NetworkNamespace()
        router = try NetworkNamespace()
        far = try NetworkNamespace()
        try NetworkNamespace.connect(home, router, net: 77)
        try NetworkNamespace.connect(router, far, net: 78)
        for end in [router, far] { try end.ip("link set cable78 mtu 1280") }
        try router.set("ipv4/ip_forward", "1")
        try home.ip("route add 10.78.0.0/24 via 10.77.0.2")
        try far.ip("route add 10.77.0.0/24 via 10.78.0.1")
    }
}
