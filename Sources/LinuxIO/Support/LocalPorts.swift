/// The local ports that the kernel gives to sockets which are bound to none (`ip_local_port_range`, ip(7)).
public enum LocalPorts {
    /// The number of these ports in the network of the calling thread, without those that
    /// `ip_local_reserved_ports` keeps free. Nil where /proc does not say.
    public static func count() -> Int? {
        let folder = "/proc/sys/net/ipv4/"
        guard let range = SystemFile.text(of: folder + "ip_local_port_range", limit: maxFileBytes) else { return nil }
        let reserved = SystemFile.text(of: folder + "ip_local_reserved_ports", limit: maxFileBytes)
        return count(range: range, reserved: reserved ?? "")
    }

    /// A list of reserved ports that is longer only leaves the count too high.
    private static let maxFileBytes = 4096

    /// The count from the texts of both files: `32768 60999` and `8080,9000-9100`. Nil where there is no range.
    static func count(range: String, reserved: String) -> Int? {
        let bounds = range.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard bounds.count == 2, bounds[0] <= bounds[1] else { return nil }
        var count = bounds[1] - bounds[0] + 1
        for part in reserved.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last else { continue }
            count -= max(0, min(last, bounds[1]) - max(first, bounds[0]) + 1)
        }
        return max(0, count)
    }
}
