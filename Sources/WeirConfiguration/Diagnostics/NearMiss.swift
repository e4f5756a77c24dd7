/// The candidate that was probably meant, if one is near enough: one edit in a short word, two in a longer one, three
/// in a long one; or the same word with other case or separators. Ties go to the alphabetically first, so runs agree.
package func nearMiss(of word: String, among candidates: some Sequence<String>) -> String? {
    let typed = nearForm(of: word)
    guard !typed.isEmpty, typed.count <= 64 else { return nil }
    var best: (distance: Int, candidate: String)?
    for candidate in candidates where candidate != word {
        let target = nearForm(of: candidate)
        let allowed = min(typed.count, target.count) <= 3 ? 1 : (min(typed.count, target.count) <= 7 ? 2 : 3)
        guard abs(typed.count - target.count) <= allowed else { continue }
        let distance = editDistance(typed, target)
        guard distance <= allowed, distance < target.count else { continue }
        if let best, (best.distance, best.candidate) <= (distance, candidate) { continue }
        best = (distance, candidate)
    }
    return best?.candidate
}

/// Candidates that have a part in common with a word, at most three: where no word is near, they are guesses.
package func related(to word: String, among candidates: some Sequence<String>) -> [String] {
    let parts = wordParts(word)
    let found = candidates.filter { candidate in
        wordParts(candidate).contains { own in parts.contains { areRelated($0, own) } }
    }
    return Array(found.prefix(3))
}

/// Whether two words are the same, or one begins with the other.
private func areRelated(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
    if min(left.count, right.count) < 4 { return left == right }
    return left.starts(with: right) || right.starts(with: left)
}

/// The words within a key, of three letters or more.
private func wordParts(_ word: String) -> [ArraySlice<UInt8>] {
    guard word.utf8.count <= 64 else { return [] }
    return nearForm(of: word).split(separator: UInt8(ascii: "_")).filter { $0.count >= 3 }
}

/// The word without case and separators.
func folded(_ word: String) -> String {
    guard word.utf8.count <= 64 else { return "" }
    let letters = nearForm(of: word).filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: " ") }
    return String(decoding: letters, as: UTF8.self)
}

/// ASCII lower case, with `-` as `_`.
private func nearForm(of word: String) -> [UInt8] {
    word.utf8.map { byte in
        if byte == UInt8(ascii: "-") { return UInt8(ascii: "_") }
        return (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// Insertions, deletions, replacements and swaps of neighbors that turn one word into the other (optimal string
/// alignment). Quadratic: callers bound the lengths.
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in 1...left.count {
        var current = [row] + [Int](repeating: 0, count: right.count)
        for column in 1...right.count {
            let isSame = left[row - 1] == right[column - 1]
            var cost = min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (isSame ? 0 : 1))
            if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                cost = min(cost, beforePrevious[column - 2] + 1)
            }
            current[column] = cost
        }
        beforePrevious = previous
        previous = current
    }
    return previous[right.count]
}
