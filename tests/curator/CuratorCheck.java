import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;

/** Drives an ensemble with Curator's recipes and prints what came of them, without what differs between two runs. */
public class CuratorCheck {
    private static String hosts;

    public static void main(String[] arguments) throws Exception {
        hosts = arguments[0];
        try (CuratorFramework one = connect(); CuratorFramework two = connect()) {
            election(one, two);
            mutex(one, two);
            readersAndWriter(one, two);
            semaphore(one, two);
            counter(one, two);
            barrier(one, two);
            cache(one, two);
            nodes(one, two);
            transactions(one);
        }
        System.exit(0);
    }

    private static CuratorFramework connect() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(hosts, 20_000, 10_000, new RetryOneTime(200));
        client.start();
        check("connected", client.blockUntilConnected(20, TimeUnit.SECONDS));
        return client;
    }

    private static void check(String what, boolean holds) {
        System.out.println(what + ": " + holds);
        if (!holds) {
            System.exit(1);
        }
    }

    private static void until(String what, java.util.function.BooleanSupplier condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean() && System.nanoTime() < end) {
            Thread.sleep(10);
        }
        check(what, condition.getAsBoolean());
    }

    private static void election(CuratorFramework one, CuratorFramework two) throws Exception {
        LeaderLatch first = new LeaderLatch(one, "/curator/leader", "first");
        LeaderLatch second = new LeaderLatch(two, "/curator/leader", "second");
        first.start();
        check("the first leads", first.await(20, TimeUnit.SECONDS));
        second.start();
        until("both take part", () -> participants(second) == 2);
        check("the second knows who leads", second.getLeader().getId().equals("first") && !second.hasLeadership());
        first.close();
        check("the second leads", second.await(20, TimeUnit.SECONDS));
        second.close();
    }

    private static int participants(LeaderLatch latch) {
        try {
            return latch.getParticipants().size();
        } catch (Exception error) {
            return -1;
        }
    }

    private static void mutex(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessMutex first = new InterProcessMutex(one, "/curator/mutex");
        InterProcessMutex second = new InterProcessMutex(two, "/curator/mutex");
        first.acquire();
        first.acquire(); // it may be taken again by who holds it
        check("held twice keeps others out", !second.acquire(300, TimeUnit.MILLISECONDS));
        first.release();
        first.release();
        check("then they get in", second.acquire(20, TimeUnit.SECONDS));
        second.release();
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(6);
        for (int n = 0; n < 6; n++) {
            InterProcessMutex mutex = new InterProcessMutex(n % 2 == 0 ? one : two, "/curator/mutex");
            new Thread(() -> {
                try {
                    for (int round = 0; round < 10; round++) {
                        mutex.acquire();
                        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                        inside.decrementAndGet();
                        mutex.release();
                    }
                    done.countDown();
                } catch (Exception error) {
                    error.printStackTrace();
                }
            }).start();
        }
        check("all had their turns", done.await(60, TimeUnit.SECONDS));
        check("one at a time", most.get() == 1);
    }

    private static void readersAndWriter(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessReadWriteLock first = new InterProcessReadWriteLock(one, "/curator/rw");
        InterProcessReadWriteLock second = new InterProcessReadWriteLock(two, "/curator/rw");
        first.readLock().acquire();
        check("two readers", second.readLock().acquire(20, TimeUnit.SECONDS));
        second.readLock().release();
        check("no writer beside a reader", !second.writeLock().acquire(300, TimeUnit.MILLISECONDS));
        first.readLock().release();
        check("then the writer", second.writeLock().acquire(20, TimeUnit.SECONDS));
        second.writeLock().release();
    }

    private static void semaphore(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessSemaphoreV2 first = new InterProcessSemaphoreV2(one, "/curator/semaphore", 2);
        InterProcessSemaphoreV2 second = new InterProcessSemaphoreV2(two, "/curator/semaphore", 2);
        var a = first.acquire();
        var b = second.acquire(20, TimeUnit.SECONDS);
        check("two of two", b != null);
        check("not three", second.acquire(300, TimeUnit.MILLISECONDS) == null);
        first.returnLease(a);
        var c = second.acquire(20, TimeUnit.SECONDS);
        check("again two", c != null);
        second.returnLease(b);
        second.returnLease(c);
    }

    private static void counter(CuratorFramework one, CuratorFramework two) throws Exception {
        DistributedAtomicLong first = new DistributedAtomicLong(one, "/curator/counter", new RetryOneTime(1));
        DistributedAtomicLong second = new DistributedAtomicLong(two, "/curator/counter", new RetryOneTime(1));
        for (int n = 0; n < 10; n++) {
            check("counted", first.increment().succeeded() && second.add(2L).succeeded());
        }
        two.sync().forPath("/curator/counter");
        check("thirty", second.get().postValue() == 30);
    }

    private static void barrier(CuratorFramework one, CuratorFramework two) throws Exception {
        CountDownLatch left = new CountDownLatch(2);
        for (CuratorFramework client : new CuratorFramework[] {one, two}) {
            new Thread(() -> {
                try {
                    DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, "/curator/barrier", 2);
                    if (barrier.enter(20, TimeUnit.SECONDS) && barrier.leave(20, TimeUnit.SECONDS)) {
                        left.countDown();
                    }
                } catch (Exception error) {
                    error.printStackTrace();
                }
            }).start();
        }
        check("both entered and left", left.await(60, TimeUnit.SECONDS));
    }

    private static void cache(CuratorFramework one, CuratorFramework two) throws Exception {
        one.create().creatingParentsIfNeeded().forPath("/curator/cache/a/b", bytes("1"));
        try (CuratorCache cache = CuratorCache.build(two, "/curator/cache")) {
            AtomicInteger created = new AtomicInteger();
            AtomicInteger changed = new AtomicInteger();
            AtomicInteger deleted = new AtomicInteger();
            CountDownLatch ready = new CountDownLatch(1);
            cache.listenable().addListener(org.apache.curator.framework.recipes.cache.CuratorCacheListener.builder()
                    .forCreates(node -> created.incrementAndGet())
                    .forChanges((before, after) -> changed.incrementAndGet())
                    .forDeletes(node -> deleted.incrementAndGet())
                    .forInitialized(ready::countDown)
                    .build());
            cache.start();
            check("the cache is filled", ready.await(20, TimeUnit.SECONDS));
            check("with what was there", created.get() == 3 && cache.size() == 3);
            one.setData().forPath("/curator/cache/a/b", bytes("2"));
            one.create().forPath("/curator/cache/c", bytes("3"));
            until("it follows a change", () -> changed.get() == 1 && "2".equals(value(cache, "/curator/cache/a/b")));
            until("it follows a creation", () -> created.get() == 4);
            one.delete().deletingChildrenIfNeeded().forPath("/curator/cache/a");
            until("it follows deletions", () -> deleted.get() == 2 && cache.size() == 2);
        }
    }

    private static String value(CuratorCache cache, String path) {
        return cache.get(path).map(ChildData::getData).map(data -> new String(data, StandardCharsets.UTF_8)).orElse(null);
    }

    private static void nodes(CuratorFramework one, CuratorFramework two) throws Exception {
        try (PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/curator/node", bytes("n"))) {
            node.start();
            check("a node of its own", node.waitForInitialCreate(20, TimeUnit.SECONDS));
            two.sync().forPath("/curator/node");
            two.delete().forPath("/curator/node");
            until("it comes back", () -> exists(two, "/curator/node"));
        }
        until("and goes with its owner", () -> !exists(two, "/curator/node"));
        PersistentTtlNode lasting = new PersistentTtlNode(one, "/curator/ttl", 60_000, bytes("t"));
        lasting.start();
        check("a container with a node that lasts a while", lasting.waitForInitialCreate(20, TimeUnit.SECONDS));
        lasting.close();
        String path = one.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/curator/protected-");
        check("a protected name", path.matches("/curator/_c_.*-protected-\\d{10}"));
    }

    private static boolean exists(CuratorFramework client, String path) {
        try {
            return client.checkExists().forPath(path) != null;
        } catch (Exception error) {
            return false;
        }
    }

    private static void transactions(CuratorFramework one) throws Exception {
        var results = one.transaction().forOperations(
                one.transactionOp().create().forPath("/curator/t", bytes("1")),
                one.transactionOp().setData().withVersion(0).forPath("/curator/t", bytes("2")),
                one.transactionOp().check().withVersion(1).forPath("/curator/t"),
                one.transactionOp().delete().forPath("/curator/t"));
        check("four in one", results.size() == 4 && results.stream().allMatch(result -> result.getError() == 0));
        try {
            one.transaction().forOperations(
                    one.transactionOp().create().forPath("/curator/u"),
                    one.transactionOp().delete().forPath("/curator/none"));
            check("all or none", false);
        } catch (org.apache.zookeeper.KeeperException.NoNodeException expected) {
            check("all or none", !exists(one, "/curator/u"));
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
