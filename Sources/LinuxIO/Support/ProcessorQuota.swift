/// The share of processor time that control groups grant (cgroups(7)), as files of /proc and /sys say it. Pure: `read`
/// returns a file's text, nil where it cannot be read.
enum ProcessorQuota {
    /// The lowest quota of this process's groups and those above them, in processors; nil where none limits it.
    static func processors(read: (String) -> String?) -> Double? {
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return nil }
        var quotas: [Double] = []
        for line in groups.split(separator: "\n") {
            // `0::/path` in version 2, `4:cpu,cpuacct:/path` in version 1.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isUnified = fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
            for folder in folders(of: String(fields[2]), isUnified: isUnified, mounts: mounts) {
                if let quota = isUnified ? unifiedQuota(folder, read) : oldQuota(folder, read) { quotas.append(quota) }
            }
        }
        return quotas.min()
    }

    private static let maxDepth = 64

    /// The folders of a group and of all above it, where the hierarchy is mounted.
    private static func folders(of group: String, isUnified: Bool, mounts: String) -> [String] {
        for line in mounts.split(separator: "\n") {
            // `36 35 98:0 /root /mount options - type source super-options` (proc(5)).
            let halves = line.split(separator: " ")
            guard let dash = halves.firstIndex(of: "-"), dash > 4, halves.count > dash + 1 else { continue }
            let isWanted =
                isUnified
                ? halves[dash + 1] == "cgroup2"
                : halves[dash + 1] == "cgroup" && (halves.last?.split(separator: ",").contains("cpu") ?? false)
            guard isWanted else { continue }
            let (root, mount) = (String(halves[3]), String(halves[4]))
            // In a container the mount may show only the part of the hierarchy that belongs to it.
            var path = group
            if root != "/", path == root || path.hasPrefix(root + "/") { path.removeFirst(root.count) }
            var names = path.split(separator: "/").filter { $0 != ".." && $0 != "." }.prefix(maxDepth)
            var found = [mount]
            while !names.isEmpty {
                found.append(mount + "/" + names.joined(separator: "/"))
                names.removeLast()
            }
            return found
        }
        return []
    }

    /// `max 100000` or `150000 100000`: microseconds of processor time in each period.
    private static func unifiedQuota(_ folder: String, _ read: (String) -> String?) -> Double? {
        let words = read(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
        guard words.count == 2 else { return nil }
        return quota(words[0], period: words[1])
    }

    /// Microseconds, -1 for no quota.
    private static func oldQuota(_ folder: String, _ read: (String) -> String?) -> Double? {
        let time = read(folder + "/cpu.cfs_quota_us")?.split(whereSeparator: \.isWhitespace).first
        let period = read(folder + "/cpu.cfs_period_us")?.split(whereSeparator: \.isWhitespace).first
        guard let time, let period else { return nil }
        return quota(time, period: period)
    }

    private static func quota(_ time: Substring, period: Substring) -> Double? {
        guard let time = Int64(time), let period = Int64(period), time > 0, period > 0 else { return nil }
        return Double(time) / Double(period)
    }
}
