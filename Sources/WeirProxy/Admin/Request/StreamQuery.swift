import NetworkTypes

/// The connections and sessions that a request at the admin socket is for. Pure.
struct StreamQuery: Equatable {
    /// A parameter that says nothing.
    struct Problem: Error, Equatable {
        let text: String
    }

    enum Order: String {
        case bytes, age
    }

    /// The parameters that say what fits.
    static let names: Set = ["id", "route", "client", "upstream", "older"]
    /// Those of a list besides.
    static let listNames: Set = ["sort", "limit", "format"]
    static let maxLimit = 10_000

    var id: UInt64?
    var route: String?
    var client: IPPrefix?
    var upstream: String?
    /// Only what is at least this old.
    var age: Duration = .zero
    var order = Order.bytes
    var limit = 1000

    init() {}

    /// Reads the parameters of a request for a list, or of one to end what fits, all of it.
    init(_ parameters: [String: String], isList: Bool = true) throws(Problem) {
        for name in parameters.keys.sorted() where !Self.names.contains(name) {
            guard Self.listNames.contains(name) else { throw Problem(text: "there is no parameter `\(name)`") }
            if !isList { throw Problem(text: "`\(name)` is for lists: all that fits is ended") }
        }
        if let text = parameters["id"] {
            guard let number = UInt64(text, radix: 16) else {
                throw Problem(text: "id: expected the id of a line of the log")
            }
            id = number
        }
        route = parameters["route"]
        upstream = parameters["upstream"]
        if let text = parameters["client"] {
            do throws(IPPrefix.ParseError) {
                client = try IPPrefix(parsing: text)
            } catch {
                throw Problem(text: "client: \(error)")
            }
        }
        if let text = parameters["older"] {
            guard let seconds = Int64(text), seconds >= 0 else { throw Problem(text: "older: expected whole seconds") }
            age = .seconds(seconds)
        }
        if let text = parameters["sort"] {
            guard let order = Order(rawValue: text) else { throw Problem(text: "sort: expected `bytes` or `age`") }
            self.order = order
        }
        if let text = parameters["limit"] {
            guard let number = Int(text), (1...Self.maxLimit).contains(number) else {
                throw Problem(text: "limit: expected 1 to \(Self.maxLimit)")
            }
            limit = number
        }
    }

    /// Whether it names some of all there is: a request to end must.
    var isNarrow: Bool { id != nil || route != nil || client != nil || upstream != nil }
}
