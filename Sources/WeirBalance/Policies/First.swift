/// The policy ``BalanceMethod/first``: the first free member in the order of the configuration.
struct First: SelectionPolicy {
    init(_ view: borrowing MemberView, worker: Int) {}

    mutating func viewChanged(_ view: borrowing MemberView) {}

    mutating func pick(_ request: borrowing ChoiceRequest, _ view: inout MemberView) -> Pick {
        for index in 0..<view.count where view.tiers[index] == request.tier {
            if view.isFree(index, request) { return Pick(index: index, isLimited: view.sawLimit) }
        }
        return .none
    }
}
