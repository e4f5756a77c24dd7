/// The page at `/` as it is sent: compressed once, at its first use.
struct StartPageBody {
    /// The best that zlib can do: it is done once in the life of the process.
    private static let level: CInt = 9

    private let plain: [UInt8]
    private var compressed: [UInt8]?
    let policy: String?

    init(_ page: StartPage?, product: String) {
        plain = page?.html ?? Array(IndexPage.html(product: product).utf8)
        policy = page?.policy
    }

    /// The page in a coding that the client takes.
    mutating func body(_ encoding: ContentEncoding) -> (bytes: [UInt8], encoding: ContentEncoding) {
        guard encoding == .gzip else { return (plain, .identity) }
        if let compressed { return (compressed, .gzip) }
        let stream = GzipStream(level: Self.level)
        var progress = GzipStream.Progress()
        var output: [UInt8] = []
        guard stream.begin(), stream.compress(plain, &progress, atMost: .max, into: &output) == true else {
            return (plain, .identity)
        }
        output.removeLast(output.count - progress.produced)
        compressed = output
        return (output, .gzip)
    }
}
