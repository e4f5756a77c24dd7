/// The short page at `/`.
enum IndexPage {
    /// `product` is a name and a version.
    static func html(product: String) -> String {
        let name = escaped(product)
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>\(name)</title></head>
            <body><h1>\(name)</h1>
            <ul>
            <li><a href="/metrics">/metrics</a>: for Prometheus</li>
            <li><a href="/healthz">/healthz</a>: whether the process lives</li>
            <li><a href="/readyz">/readyz</a>: whether it is ready for traffic</li>
            </ul></body></html>

            """
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            default: result.append(character)
            }
        }
        return result
    }
}
