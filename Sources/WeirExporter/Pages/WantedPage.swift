/// A page or document that is made for a client in steps. Clients that ask for the same share it.
enum WantedPage: Equatable {
    case metrics(PageRequest)
    case status

    /// Whether it is the whole page of metrics: what scrapers ask for, and what comes first.
    var isScrape: Bool {
        guard case .metrics(let request) = self else { return false }
        return request.filter == nil
    }

    /// The value of `Content-Type`.
    var contentType: String {
        switch self {
        case .metrics(let request): request.format.contentType
        case .status: ResponseHead.json
        }
    }
}
