package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What a lookup asks next after what a server may answer at one instant and another. */
class LookupTest {
    private static final byte[] POINTER = Pack.pointer(9, 5, 3);
    private static final byte[] PAST = Pack.pointer(8, 4, 2);
    private static final byte[] ALIVE = Pack.pack(9L);
    private static final byte[] META = Pack.meta("score");
    private static final Feature SCORE = Feature.parse("view:score");

    @Test
    void aFirstLookupAsksForThePointerThenTheMetaThenTheEntities() {
        Lookup lookup = lookup(List.of(1, 2), null);
        assertAsks(lookup, "p a");
        lookup.accept(List.of(reply(POINTER, ALIVE)));
        assertAsks(lookup, "p a m:3");
        lookup.accept(List.of(reply(POINTER, ALIVE, META)));
        assertAsks(lookup, "p a 3:1 3:2");
        lookup.accept(List.of(reply(POINTER, ALIVE, Pack.entity(5, 7L), null)));
        assertTrue(lookup.settled());
        assertTrue(lookup.live());
        assertEquals(List.of(7L, -1L), scores(lookup, 2));
    }

    @Test
    void aLaterOneAsksOnce() {
        Lookup lookup = lookup(List.of(1), pinned(POINTER));
        assertAsks(lookup, "p a 3:1");
        lookup.accept(List.of(reply(POINTER, ALIVE, Pack.entity(5, 7L))));
        assertEquals(List.of(7L), scores(lookup, 1));
    }

    @Test
    void anEpochThatIsNotTheOneSeenHasItsMetaReadFirst() {
        Lookup lookup = lookup(List.of(1), pinned(PAST));
        assertAsks(lookup, "p a 2:1");
        lookup.accept(List.of(reply(POINTER, ALIVE, Pack.entity(5, 7L))));
        assertFalse(lookup.settled());
        assertAsks(lookup, "p a m:3");
        lookup.accept(List.of(reply(POINTER, ALIVE, META)));
        assertAsks(lookup, "p a 3:1");
    }

    @Test
    void besideAnotherPointerTheMetaIsReadAgainAsAStoreMayCountItsEpochsAnew() {
        byte[] moved = Pack.pointer(10, 1, 3);
        byte[] alive = Pack.pack(10L);
        Lookup lookup = lookup(List.of(1), pinned(POINTER));
        assertAsks(lookup, "p a 3:1");
        lookup.accept(List.of(reply(moved, alive, Pack.entity(1, -5L, 70L))));
        assertAsks(lookup, "p a m:3");
        lookup.accept(List.of(reply(moved, alive, Pack.meta("debt", "score"))));
        assertAsks(lookup, "p a 3:1");
        lookup.accept(List.of(reply(moved, alive, Pack.entity(1, -5L, 70L))));
        assertEquals(List.of(70L), scores(lookup, 1));
    }

    @Test
    void whatTheMetaOfAPastEpochRefusesIsAskedForByTheNext() {
        Lookup lookup = new Lookup("ns", "view", List.of(List.of(SCORE)), List.of(Map.of("shop_id", 1)), pinned(PAST));
        assertAsks(lookup, "p a");
        lookup.accept(List.of(reply(POINTER, ALIVE)));
        assertAsks(lookup, "p a m:3");
        byte[] meta = Pack.pack(List.of(1L, "f", List.of(List.of("shop_id", "integer")), List.of(List.of("score", "int64")),
                List.of(-1L), List.of(-2L)));
        lookup.accept(List.of(reply(POINTER, ALIVE, meta)));
        assertAsks(lookup, "p a 3:1");
    }

    @Test
    void whatTheMetaOfTheEpochRefusesIsRefused() {
        Lookup lookup = lookup(List.of("1"), pinned(POINTER));
        assertAsks(lookup, "p a");
        assertThrows(FeatureStoreException.Usage.class, () -> lookup.accept(List.of(reply(POINTER, ALIVE))));
    }

    @Test
    void aMetaThatIsGoneWithItsEpochIsLookedForInTheNext() {
        Lookup lookup = lookup(List.of(1), null);
        lookup.accept(List.of(reply(POINTER, ALIVE)));
        lookup.accept(List.of(reply(Pack.pointer(10, 6, 4), ALIVE, null)));
        assertAsks(lookup, "p a m:4");
        byte[] again = Pack.pointer(10, 6, 4);
        assertThrows(FeatureStoreException.NotPublished.class, () -> lookup.accept(List.of(reply(again, ALIVE, null))));
    }

    @Test
    void chunksOfTwoInstantsAreAskedAgain() {
        byte[] later = Pack.pointer(10, 6, 3);
        byte[] laterAlive = Pack.pack(10L);
        for (byte[][] second : List.of(new byte[][] {later, laterAlive}, new byte[][] {POINTER, null},
                new byte[][] {POINTER, laterAlive}, new byte[][] {later, ALIVE})) {
            Lookup lookup = lookup(IntStream.range(0, 501).boxed().toList(), pinned(POINTER));
            assertEquals(List.of(502, 3), lookup.commands().stream().map(command -> command.length).toList());
            lookup.accept(List.of(reply(head(POINTER, ALIVE, 500)), reply(head(second[0], second[1], 1))));
            assertFalse(lookup.settled());
            lookup.accept(List.of(reply(head(later, laterAlive, 500)), reply(head(later, laterAlive, 1))));
            assertAsks(lookup, "p a m:3");
            lookup.accept(List.of(reply(later, laterAlive, META)));
            lookup.commands();
            lookup.accept(List.of(reply(head(later, laterAlive, 500)), reply(head(later, laterAlive, 1))));
            assertTrue(lookup.settled());
            assertEquals(6, lookup.pointer().generation());
        }
    }

    @Test
    void theChunkedAnswerIsInTheOrderOfTheEntities() {
        List<Integer> entities = new ArrayList<>(IntStream.range(0, 1200).boxed().toList());
        entities.set(499, null);
        entities.set(1100, null);
        Lookup lookup = lookup(entities, pinned(POINTER));
        List<Values> replies = new ArrayList<>();
        for (byte[][] command : lookup.commands()) {
            byte[][] values = head(POINTER, ALIVE, command.length - 2);
            for (int i = 2; i < command.length; i++) {
                String key = new String(command[i]);
                values[i] = Pack.entity(5, Long.parseLong(key.substring(key.lastIndexOf(':') + 1)));
            }
            replies.add(reply(values));
        }
        lookup.accept(replies);
        List<Object> wanted = entities.stream().map(entity -> (Object) (entity == null ? -1L : entity.longValue())).toList();
        assertEquals(wanted, scores(lookup, 1200));
    }

    @Test
    void anAliveOfAnotherFlipExpiresAll() {
        Lookup lookup = lookup(Arrays.asList(1, null), pinned(POINTER));
        assertAsks(lookup, "p a 3:1");
        lookup.accept(List.of(reply(POINTER, Pack.pack(8L), Pack.entity(5, 7L))));
        assertFalse(lookup.live());
        assertEquals(List.of(-2L, -2L), scores(lookup, 2));
    }

    @Test
    void aliveThatIsNoNumberIsUnreadable() {
        Lookup lookup = lookup(List.of(1), pinned(POINTER));
        assertAsks(lookup, "p a 3:1");
        for (byte[] alive : List.of(Pack.pack("9"), Arrays.copyOf(ALIVE, ALIVE.length + 1))) {
            FeatureStoreException error = assertThrows(FeatureStoreException.Unreadable.class,
                    () -> lookup.accept(List.of(reply(POINTER, alive, null))));
            assertTrue(error.getMessage().startsWith("the alive at {ns:view}:a is not readable: "), error.getMessage());
        }
    }

    @Test
    void whatFollowsAnEntityIsUnreadable() {
        Lookup lookup = lookup(List.of(1), pinned(POINTER));
        assertAsks(lookup, "p a 3:1");
        byte[] longer = Arrays.copyOf(Pack.entity(5, 7L), Pack.entity(5, 7L).length + 1);
        assertThrows(FeatureStoreException.Unreadable.class,
                () -> lookup.accept(List.of(reply(POINTER, ALIVE, longer))));
    }

    @Test
    void aRowOfMoreValuesThanFieldsIsUnreadable() {
        Lookup lookup = lookup(List.of(1), pinned(POINTER));
        assertAsks(lookup, "p a 3:1");
        byte[] wider = Pack.entity(5, 7L, 8L);
        FeatureStoreException error = assertThrows(FeatureStoreException.Unreadable.class,
                () -> lookup.accept(List.of(reply(POINTER, ALIVE, wider))));
        assertTrue(error.getMessage().contains("its row has 2 values for 1 fields"), error.getMessage());
    }

    @Test
    void aMetaWhoseConstantRowsDoNotFitIsUnreadableAtOnce() {
        for (List<?> expired : List.of(List.of(-2f), List.of(), List.of(-2L, -2L))) {
            byte[] meta = Pack.pack(List.of(1L, "f", List.of(), List.of(List.of("score", "int64")), List.of(-1L), expired));
            Lookup lookup = lookup(List.of(1), null);
            lookup.accept(List.of(reply(POINTER, ALIVE)));
            assertThrows(FeatureStoreException.Unreadable.class, () -> lookup.accept(List.of(reply(POINTER, ALIVE, meta))));
        }
    }

    private static Lookup lookup(List<?> entities, Lookup.Pin pin) {
        return new Lookup("ns", "view", List.of(List.of(SCORE)), entities, pin);
    }

    private static Lookup.Pin pinned(byte[] pointer) {
        return new Lookup.Pin(Pointer.read(MessagePack.of(pointer)), Meta.read(MessagePack.of(META)));
    }

    private static void assertAsks(Lookup lookup, String wanted) {
        List<String> keys = Arrays.stream(lookup.commands().get(0)).map(String::new).toList();
        assertEquals("{ns:view}:" + wanted.replace(" ", " {ns:view}:"), String.join(" ", keys));
    }

    private static byte[][] head(byte[] pointer, byte[] alive, int entities) {
        byte[][] values = new byte[entities + 2][];
        values[0] = pointer;
        values[1] = alive;
        return values;
    }

    private static Values reply(byte[]... values) {
        Values reply = new Values();
        reply.begin(values.length);
        for (byte[] value : values) {
            reply.add(value == null ? null : ByteBuffer.wrap(value));
        }
        return reply;
    }

    private static List<Object> scores(Lookup lookup, int size) {
        return IntStream.range(0, size).mapToObj(lookup.column(SCORE)::get).toList();
    }
}
