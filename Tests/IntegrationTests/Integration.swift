import Testing

/// Everything that runs the real binary with real traffic. One test at a time: load from one test would only make the
/// deadlines of another mean less.
@Suite("Real traffic through weir run", .serialized)
enum Integration {}
