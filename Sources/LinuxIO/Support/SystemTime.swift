import Glibc

/// The time of day, for what people and other programs read. It may jump: nothing is measured with it.
public enum SystemTime {
    /// Seconds since 1970 (clock_gettime(2), `CLOCK_REALTIME`). Any thread.
    public static var seconds: Int {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec
    }
}
