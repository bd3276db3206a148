package skewless.client;

import java.time.Duration;
import java.time.Instant;

/**
 * What of one view an answer is from.
 *
 * @param snapshotTime the instant as of which the values are
 * @param generation   which publish they are of
 * @param flip         the server's time, in microseconds since 1970, of the last change that readers could see
 * @param age          now less the snapshot time, by this machine's clock
 * @param state        {@code EXPIRED}: every entity got the view's expired row
 */
public record Served(Instant snapshotTime, long generation, long flip, Duration age, State state) {
    /** Whether the snapshot is still good. */
    public enum State {
        /** It is. */
        LIVE,
        /** It is too old, or an operator expired it. */
        EXPIRED
    }
}
