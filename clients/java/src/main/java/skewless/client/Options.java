package skewless.client;

import java.nio.file.Path;
import java.time.Duration;

/**
 * How a store is reached.
 *
 * @param connectTimeout how long connecting may take
 * @param commandTimeout how long the server may take to answer
 * @param caFile         certificates to trust (PEM), for TLS; null: those that Java trusts
 */
public record Options(Duration connectTimeout, Duration commandTimeout, Path caFile) {
    private static final Duration USUAL = Duration.ofSeconds(5);

    /** Usage where a time-out is not longer than nothing. */
    public Options {
        if (!isPositive(connectTimeout) || !isPositive(commandTimeout)) {
            throw new FeatureStoreException.Usage("the time-outs are " + connectTimeout + " and " + commandTimeout
                    + "; each must be longer than nothing");
        }
    }

    /** Both time-outs five seconds, and the certificates that Java trusts. */
    public static Options defaults() {
        return new Options(USUAL, USUAL, null);
    }

    /** These, with another time-out of connecting. */
    public Options withConnectTimeout(Duration timeout) {
        return new Options(timeout, commandTimeout, caFile);
    }

    /** These, with another time-out of commands. */
    public Options withCommandTimeout(Duration timeout) {
        return new Options(connectTimeout, timeout, caFile);
    }

    /** These, with a file of certificates to trust. */
    public Options withCaFile(Path file) {
        return new Options(connectTimeout, commandTimeout, file);
    }

    private static boolean isPositive(Duration duration) {
        return !duration.isZero() && !duration.isNegative();
    }
}
