import Glibc
import LinuxIO
import WeirConfiguration

/// The kernel's figures of this process (proc_pid_stat(5), proc_pid_statm(5)), without Foundation.
struct ProcessStatus {
    var cpuNanoseconds: UInt64
    var openDescriptors: Int64
    var maxDescriptors: Int64
    var residentBytes: Int64
    var virtualBytes: Int64
    var threads: Int64

    /// Asks now; what cannot be read (no descriptor left, say) is nil.
    static func read() -> ProcessStatus? {
        guard let memory = words(of: "/proc/self/statm"), memory.count >= 2, let stat = statFields(),
            let size = Int64(memory[0]), let resident = Int64(memory[1]), let threads = Int64(stat[17])
        else { return nil }
        let page = Int64(sysconf(CInt(_SC_PAGESIZE)))
        return ProcessStatus(
            cpuNanoseconds: cpuTime, openDescriptors: descriptorCount, maxDescriptors: descriptorLimit,
            residentBytes: resident * page, virtualBytes: size * page, threads: threads)
    }

    /// When the process started, in milliseconds since 1970; nil where the system does not tell.
    static func startMilliseconds() -> Int64? {
        guard let stat = statFields(), let ticks = Int64(stat[19]) else { return nil }
        var boot = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &boot)
        let sinceBoot = Int64(boot.tv_sec) * 1000 + Int64(boot.tv_nsec) / 1_000_000
        let bootedAt = WallClock.nanoseconds / 1_000_000 - sinceBoot
        return bootedAt + ticks * 1000 / Int64(sysconf(CInt(_SC_CLK_TCK)))
    }

    private static var cpuTime: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Since Linux 6.2 the size of /proc/self/fd is the number of open descriptors; before it is 0, and they are
    /// counted.
    private static var descriptorCount: Int64 {
        var status = stat()
        if unsafe stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int64(status.st_size) }
        guard let folder = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(folder) }
        var count: Int64 = 0
        while unsafe readdir(folder) != nil { count += 1 }
        // ".", ".." and the folder's own descriptor.
        return max(0, count - 3)
    }

    private static var descriptorLimit: Int64 {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return Int64(clamping: limit.rlim_cur)
    }

    /// The fields of /proc/self/stat from the third on. The second, the name in parentheses, can hold anything.
    private static func statFields() -> [Substring]? {
        guard let text = contents(of: "/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        return fields.count >= 20 ? fields : nil
    }

    private static func words(of path: String) -> [Substring]? {
        contents(of: path)?.split(whereSeparator: { $0 == " " || $0 == "\n" })
    }

    private static func contents(of path: String) -> String? {
        guard let bytes = try? readFile(path: path, limit: 4096), !bytes.isEmpty else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
