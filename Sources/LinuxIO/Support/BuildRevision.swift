import CLinux

/// The source that this program was built from.
public enum BuildRevision {
    /// The commit, with `-dirty` behind it where files had changed; `unknown` where it was built outside a repository.
    public static let text = unsafe String(cString: weir_revision())
}
