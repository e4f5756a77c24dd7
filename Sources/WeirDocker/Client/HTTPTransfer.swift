/// One request and its answer, as far as it has come. Confined to the thread of its ``HTTPClient``.
final class HTTPTransfer {
    /// The most bytes of the answer that are kept; a stream keeps none.
    let maxBytes: Int
    /// The receiver of a stream's bytes; nil keeps them in ``body``.
    private let receive: (([UInt8]) -> Void)?
    /// The answer's body, where it is kept.
    private(set) var body: [UInt8] = []
    /// Whether there was more than ``maxBytes``.
    private(set) var isTooLarge = false
    /// Whether anything of an answer has come.
    var hasAnswer = false
    /// The status of the answer, 0 before it.
    var status = 0
    /// The failure of the connection in words; nil while it goes on, and after a whole answer.
    var problem: String?
    /// Whether it is over.
    var isDone = false

    init(maxBytes: Int, receive: (([UInt8]) -> Void)? = nil) {
        self.maxBytes = maxBytes
        self.receive = receive
    }

    /// Takes bytes of the answer. False where they are too many.
    func take(_ bytes: [UInt8]) -> Bool {
        if let receive {
            receive(bytes)
            return true
        }
        guard body.count + bytes.count <= maxBytes else {
            isTooLarge = true
            return false
        }
        body += bytes
        return true
    }
}
