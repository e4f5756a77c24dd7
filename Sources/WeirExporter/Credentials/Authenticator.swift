import LinuxIO

/// Decides who may read a page. Confined to the exporter's thread; hashes are looked at elsewhere.
///
/// Verdicts are remembered under a keyed digest of name, hash and password: a scraper costs one look at its password for
/// the life of the process, a wrong password one for each time that it is new, and another hash is another digest, so
/// that a reload forgets nobody but whom it changed.
struct Authenticator {
    /// What becomes of a request.
    enum Decision: Equatable {
        case granted
        /// 401.
        case denied
        /// 429: this source was wrong too often, or too many wait.
        case throttled
        /// A password is being looked at; to be asked again when there are verdicts.
        case undecided
        /// 503: libcrypt could not look at the password.
        case unable
    }

    private static let mostVerdicts = 256

    private let digest = KeyedDigest()
    private var tokens: [KeyedDigest.Value] = []
    private var users: [[UInt8]: String] = [:]
    /// The hashes that there are, for names that nobody has.
    private var hashes: [String] = []
    private var isOpen = true
    private var right = VerdictCache(capacity: mostVerdicts)
    private var wrong = VerdictCache(capacity: mostVerdicts)
    private var pending: Set<KeyedDigest.Value> = []
    /// Passwords that could not be looked at, until those who wait for them have heard of it.
    private var unable: Set<KeyedDigest.Value> = []
    private var throttle = FailureThrottle()
    /// Nil before the exporter starts.
    var verifier: PasswordVerifier?

    /// The values of `WWW-Authenticate`.
    private(set) var challenges: [String] = []

    /// Goes over to other tokens and users.
    mutating func update(_ access: ExporterAccess) {
        isOpen = !access.needsCredentials
        tokens = access.tokens.map { digest.value(of: [$0]) }
        users = [:]
        for user in access.users { users[Array(user.name.utf8)] = user.hash.text }
        hashes = access.users.map(\.hash.text)
        challenges = []
        if !access.tokens.isEmpty { challenges.append("Bearer realm=\"metrics\"") }
        if !access.users.isEmpty { challenges.append("Basic realm=\"metrics\", charset=\"UTF-8\"") }
    }

    /// What becomes of a request with these credentials.
    mutating func decide(_ credentials: Credentials, from source: ClientSource, now: UInt64) -> Decision {
        if isOpen { return .granted }
        switch credentials {
        // Browsers ask without a password first.
        case .none, .unknown: return .denied
        case .bearer(let token):
            let presented = digest.value(of: [token])
            var isRight = false
            // To the end of the list, so that the time does not tell which one it was.
            for token in tokens where token.isSame(as: presented) { isRight = true }
            return isRight ? .granted : fail(source, now: now)
        case .basic(let name, let password):
            return decide(name: name, password: password, from: source, now: now)
        }
    }

    private mutating func decide(
        name: [UInt8], password: [UInt8], from source: ClientSource, now: UInt64
    ) -> Decision {
        guard !hashes.isEmpty, PasswordHash.isPossible(password) else { return fail(source, now: now) }
        let known = users[name]
        let hash = known ?? decoy(for: name)
        let key = digest.value(of: [name, Array(hash.utf8), password, [known == nil ? 0 : 1]])
        if right.contains(key) { return .granted }
        if wrong.contains(key) { return fail(source, now: now) }
        if unable.contains(key) { return .unable }
        if pending.contains(key) { return .undecided }
        if throttle.isExhausted(source, now: now) { return .throttled }
        let job = PasswordVerifier.Job(
            digest: key, source: source, password: password, hash: hash, isKnown: known != nil)
        guard verifier?.submit(job) == true else { return .throttled }
        pending.insert(key)
        return .undecided
    }

    /// A hash for a name that nobody has: one of those that are there, always the same for the same name. So it costs what
    /// a name costs that somebody has, and the time tells nothing, also where the hashes are of several kinds.
    private func decoy(for name: [UInt8]) -> String {
        hashes[Int(digest.value(of: [name]).first % UInt64(hashes.count))]
    }

    private mutating func fail(_ source: ClientSource, now: UInt64) -> Decision {
        if throttle.isExhausted(source, now: now) { return .throttled }
        throttle.note(source, now: now)
        return .denied
    }

    /// Takes the verdicts that have come. Whoever waits asks again now; then comes ``forgetUnable()``.
    mutating func takeVerdicts() {
        for verdict in verifier?.takeVerdicts() ?? [] {
            pending.remove(verdict.digest)
            switch verdict.isRight {
            case true?: right.insert(verdict.digest)
            case false?: wrong.insert(verdict.digest)
            case nil: unable.insert(verdict.digest)
            }
        }
    }

    /// The next to ask has them looked at again.
    mutating func forgetUnable() { unable = [] }
}
