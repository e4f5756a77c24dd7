// Search that needs no `_StringProcessing`: a single use of that module makes the static program larger by 1 MB.

extension StringProtocol {
    /// The first place of a text in this one, compared byte by byte; nil where it is nowhere.
    package func firstPlace(ofText part: String) -> Range<Index>? {
        var rest = utf8[...]
        while rest.count >= part.utf8.count {
            if rest.starts(with: part.utf8) {
                return rest.startIndex..<rest.index(rest.startIndex, offsetBy: part.utf8.count)
            }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// Whether a text stands somewhere in this one, compared byte by byte.
    package func contains(text part: String) -> Bool { firstPlace(ofText: part) != nil }

    /// The text with another one in place of each of these characters.
    package func replacing(each character: Unicode.Scalar, with text: String) -> String {
        var result = ""
        for scalar in unicodeScalars {
            if scalar == character { result += text } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }
}
