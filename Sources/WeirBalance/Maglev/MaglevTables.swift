import Threading

/// The tables of ``BalanceMethod/maglev`` that are in use, so that routes with the same members share one. Safe from
/// any thread.
public final class MaglevTables: Sendable {
    private struct WeakTable: Sendable {
        weak let table: MaglevTable?
    }

    private let tables = Lock<[[MaglevTable.Member]: WeakTable]>([:])

    /// Creates an empty collection.
    public init() {}

    /// Returns the table of members, made now where none is in use. It takes milliseconds: not on a worker.
    func table(of members: [MaglevTable.Member]) -> MaglevTable {
        if let table = tables.withLock({ $0[members]?.table }) { return table }
        let new = MaglevTable(members)
        return tables.withLock { tables in
            // Another thread may have been faster.
            if let table = tables[members]?.table { return table }
            tables = tables.filter { $0.value.table != nil }
            tables[members] = WeakTable(table: new)
            return new
        }
    }

    /// The number of tables in use.
    var count: Int { tables.withLock { $0.values.count { $0.table != nil } } }
}

/// A table with the indices that its members have in a configuration.
struct MaglevPlaces: Sendable {
    private let table: MaglevTable
    /// The index of the member with each rank.
    private let indices: [UInt16]
    private let isOfBackups: Bool

    /// Returns the places of the members that are no backups, and behind them those of the backups, if any; nothing for
    /// another method.
    static func make(_ configuration: BalanceConfiguration, _ tables: MaglevTables) -> [MaglevPlaces] {
        guard configuration.method == .maglev else { return [] }
        return [false, true].compactMap { isBackup in
            let members = configuration.members
            let keys = members.map { MaglevTable.Member(text: $0.address, weight: $0.weight) }
            let indices = members.indices.filter { members[$0].isBackup == isBackup }.sorted { keys[$0] < keys[$1] }
            if indices.isEmpty { return nil }
            return MaglevPlaces(
                table: tables.table(of: indices.map { keys[$0] }), indices: indices.map { UInt16($0) },
                isOfBackups: isBackup)
        }
    }

    /// The index of the member at a place.
    @inline(__always) subscript(_ place: Int) -> Int { Int(indices[Int(table.ranks[place])]) }

    /// Whether a member has places here.
    func holds(_ index: Int, _ view: borrowing MemberView) -> Bool {
        view.layout.configuration.members[index].isBackup == isOfBackups
    }
}
