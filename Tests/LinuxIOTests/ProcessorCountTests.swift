import Testing

@testable import LinuxIO

@Suite struct ProcessorCountTests {
    private static let unified = "31 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    private static let old = """
        30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
        31 24 0:27 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct

        """

    private func quota(_ files: [String: String]) -> Double? { ProcessorQuota.processors { files[$0] } }

    @Test func `the quota of version 2 is the lowest of a group and those above it`() {
        var files = [
            "/proc/self/cgroup": "0::/system.slice/weir.service\n", "/proc/self/mountinfo": Self.unified,
            "/sys/fs/cgroup/system.slice/weir.service/cpu.max": "max 100000\n",
        ]
        #expect(quota(files) == nil)
        files["/sys/fs/cgroup/system.slice/weir.service/cpu.max"] = "350000 100000\n"
        #expect(quota(files) == 3.5)
        files["/sys/fs/cgroup/system.slice/cpu.max"] = "150000 100000\n"
        #expect(quota(files) == 1.5)
        files["/sys/fs/cgroup/cpu.max"] = "50000 100000\n"
        #expect(quota(files) == 0.5)
    }

    @Test func `the quota of version 1 is found where a container has its own part of the hierarchy`() {
        var files = [
            "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
            "/proc/self/mountinfo": Self.old, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ]
        #expect(quota(files) == nil)
        files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "250000\n"
        #expect(quota(files) == 2.5)
    }

    @Test(arguments: [
        "", "\n", "0", "0::", "0:::", "max", "-5 100000", "5 0", "x y", "100000", "99999999999999999999 100000", "5 -1",
    ])
    func `odd files are no quota`(text: String) {
        #expect(quota(["/proc/self/cgroup": text, "/proc/self/mountinfo": text]) == nil)
        #expect(
            quota([
                "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": Self.unified, "/sys/fs/cgroup/cpu.max": text,
            ]) == nil)
    }

    @Test func `the smallest limit decides, rounded up, and there is at least one`() {
        func count(_ online: Int, _ affinity: Int?, _ quota: Double?) -> (Int, String) {
            let found = ProcessorCount(online: online, affinity: affinity, quota: quota)
            return (found.count, found.description)
        }
        #expect(count(8, nil, nil) == (8, "8 processors"))
        #expect(count(8, 8, 9) == (8, "8 processors"))
        #expect(count(8, 2, 2.5) == (2, "2 of 8 processors (affinity)"))
        #expect(count(8, 4, 2.5) == (3, "a quota of 2.5 processors (cgroup)"))
        #expect(count(8, 8, 0.05) == (1, "a quota of 0.05 processors (cgroup)"))
        #expect(count(1, 1, 0.5) == (1, "1 processor"))
        #expect(count(2, 0, nil) == (1, "1 of 2 processors (affinity)"))
    }

    @Test func `this process has at least one`() {
        #expect(ProcessorCount.current.count >= 1)
    }
}
