// swift-format-ignore-file
// Made by live/generate.py of live/*.html, *.css and *.js: change those.

/// The page at `/`: one document that asks for nothing but `/api/v1/status`.
enum LivePage {
    /// The policy under which a browser shows the page (Content-Security-Policy).
    static let policy = "default-src 'none'; script-src 'sha256-Uws/GS2k2+LE/R2zFbU+YHeifN8PWI5qKMZz5bUAYw0='; style-src 'sha256-+sV7l+w/lq4EbVwmR3IT8MbhuAbRB/eTZHBRRlFyDAU='; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

    /// The whole document.
    static var html: String { part1 + part2 + part3 }
}
