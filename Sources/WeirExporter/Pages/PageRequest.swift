import WeirMetrics

/// The page that a client requests. Clients that request the same one share it.
struct PageRequest: Equatable {
    var format: ExpositionFormat
    /// The selection of the query; nil is the whole page.
    var filter: PageFilter?

    /// Values of one filter.
    static let maxValues = 16
    private static let tooManyValues = RequestError(
        status: .badRequest,
        explanation: "400 Bad Request: at most \(maxValues) values of `name` and \(maxValues) of `route` in one request"
    )

    /// The page that the head asks for.
    /// - Throws: where the query is no proper one, or longer than the bounds.
    init(_ head: RequestHead, of bytes: Span<UInt8>) throws(RequestError) {
        format = head.formats.preferred
        var names: [String] = []
        var routes: [String] = []
        for field in try PathRequest.fields(head, of: bytes) {
            switch field.name {
            case "name[]", "name": names.append(field.value)
            case "route[]", "route": routes.append(field.value)
            default: break
            }
            guard names.count <= Self.maxValues, routes.count <= Self.maxValues else { throw Self.tooManyValues }
        }
        if names.isEmpty && routes.isEmpty { return }
        filter = PageFilter(names: names, labels: routes.isEmpty ? [:] : ["route": Set(routes)])
    }
}
