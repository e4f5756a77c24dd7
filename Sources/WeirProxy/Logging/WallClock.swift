import Glibc

/// The time of day, for what people and Prometheus read. Nothing is measured with it.
enum WallClock {
    /// Nanoseconds since 1970 (clock_gettime(2), `CLOCK_REALTIME`).
    static var nanoseconds: Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
