import CTLS

/// The keys of session tickets, which all servers of the process share.
public enum TicketKeys {
    /// Changes them where it is time, and forgets one that opens nothing any more. `seconds` is the age of any moment
    /// in the past. Without calls now and then the first key stays.
    public static func follow(seconds: Int64) { weir_tls_tickets_follow(seconds) }
}
