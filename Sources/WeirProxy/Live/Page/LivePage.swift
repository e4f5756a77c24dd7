// swift-format-ignore-file
// Made by live/generate.py of live/*.html, *.css and *.js: change those.

/// The page at `/`: one document that asks for nothing but `/api/v1/status`.
enum LivePage {
    /// The policy under which a browser shows the page (Content-Security-Policy).
    static let policy = "default-src 'none'; script-src 'sha256-Zt6wquu0T49iuqJ3TK0KzLl19lQ0vQkGP/sDfCVkF7c='; style-src 'sha256-+sV7l+w/lq4EbVwmR3IT8MbhuAbRB/eTZHBRRlFyDAU='; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

    /// The whole document.
    static var html: String { part1 + part2 + part3 }
}
