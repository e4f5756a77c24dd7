import Logging
import WeirConfiguration

// From the words of the configuration to those of the log.

extension Logger.Level {
    init(_ level: Configuration.Log.Level) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .warning: self = .warning
        case .error: self = .error
        }
    }
}
