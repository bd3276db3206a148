package skewless.client;

/**
 * Why a lookup has no answer; the message says what, where, and what next.
 *
 * <pre>
 * FeatureStoreException
 * ├── Usage          the caller's mistake: an unknown field, a join key that is missing or of the wrong type
 * ├── NotPublished   no such view or service is live in this namespace
 * ├── Unreadable     the store holds what this version cannot read
 * └── Unavailable    the server is away, refuses, or does not answer in time
 * </pre>
 */
public abstract sealed class FeatureStoreException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private FeatureStoreException(String message, Throwable cause) {
        super(message, cause);
    }

    /** The caller's mistake: asking again changes nothing. */
    public static final class Usage extends FeatureStoreException {
        private static final long serialVersionUID = 1L;

        Usage(String message) {
            super(message, null);
        }
    }

    /** No such view or service is live in this namespace; never the same as an entity without rows. */
    public static final class NotPublished extends FeatureStoreException {
        private static final long serialVersionUID = 1L;

        NotPublished(String message) {
            super(message, null);
        }
    }

    /** The store holds another format, an unknown dtype or kind, or bytes that do not parse. */
    public static final class Unreadable extends FeatureStoreException {
        private static final long serialVersionUID = 1L;

        Unreadable(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The server is away, refuses, or does not answer in time; asking later may help. */
    public static final class Unavailable extends FeatureStoreException {
        private static final long serialVersionUID = 1L;

        Unavailable(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
