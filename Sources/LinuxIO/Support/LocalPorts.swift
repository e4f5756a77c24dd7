import Glibc

/// The local ports that the kernel gives to sockets which are bound to none (`ip_local_port_range`, ip(7)).
public enum LocalPorts {
    /// The number of these ports in the network of the calling thread, without those that
    /// `ip_local_reserved_ports` keeps free. Nil where /proc does not say.
    public static func count() -> Int? {
        let folder = "/proc/sys/net/ipv4/"
        guard let range = text(of: folder + "ip_local_port_range") else { return nil }
        return count(range: range, reserved: text(of: folder + "ip_local_reserved_ports") ?? "")
    }

    /// The beginning of a small file. A list of reserved ports that is longer only leaves the count too high.
    private static func text(of path: String) -> String? {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = FileDescriptor(adopting: number)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(file.rawValue, buffer.baseAddress, buffer.count)
        }
        file.close()
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }

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
