// Modules: NetworkTypes Threading LinuxIO WeirStream WeirAccess

import LinuxIO
import WeirAccess

/// Access rules and list files, whose bytes come from outside. Nothing may trap, what is taken must print as something
/// that reads as the same rule, and what a list holds must be found in it again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    if let rule = try? AccessRule(parsing: bytes[...]) { check(rule) }
    if let rule = try? AccessRule(parsingBare: bytes[...]) { check(rule) }
    let file = AccessListFile(bytes, name: "list")
    precondition(file.problems.count <= AccessListFile.maxProblems)
    for entry in file.entries { check(entry.rule) }
    if file.entries.isEmpty { return 0 }
    let policy = AccessPolicy(global: .init(deny: AccessList(file.entries)))
    for entry in file.entries {
        guard let prefix = entry.rule.prefix else { continue }
        let decision = policy.decide(prefix.network, isPeer: true)
        precondition(decision.action == .deny, "a rule denies the first address of its block")
        let named = policy.entry(of: decision)?.rule.prefix
        precondition(named?.contains(prefix.network) == true, "the rule that is named holds the address")
        precondition(named.map { $0.length >= prefix.length } == true, "no less specific rule is named")
    }
    return 0
}

private func check(_ rule: AccessRule) {
    let again = try? AccessRule(parsing: Array(rule.description.utf8)[...])
    precondition(again == rule, "a rule reads as it prints")
}
