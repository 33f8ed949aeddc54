// Threads that share work, and memory that is kept between calls.

#pragma once

#include <immintrin.h>
#include <pthread.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>

namespace albertkit {

constexpr int MOST_THREADS = 256;
constexpr int PAUSES = 1000;

// A number that threads wait for: some microseconds actively, for what they wait for is near where all of them have a
// core, and then asleep, for where another process has the core of one it may be milliseconds away.
struct Awaited {
    std::atomic<int> value{0};

    // Until the number is another than this.
    void wait(int seen) {
        for (int pauses = 0; pauses < PAUSES; pauses++) {
            if (value.load(std::memory_order_acquire) != seen) return;
            _mm_pause();
        }
        asleep.fetch_add(1);
        while (value.load() == seen) sleep(seen);
        asleep.fetch_sub(1);
    }

    // A new one. Who has seen `asleep` too early finds this one when it falls asleep.
    void set(int next) {
        value.store(next);
        wake();
    }

    void subtract_one() {
        value.fetch_sub(1);
        wake();
    }

  private:
    std::atomic<int> asleep{0};

#ifdef __linux__
    void sleep(int seen) { syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0); }
    void wake() {
        if (asleep.load()) syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
    }
#else
    void sleep(int) { sched_yield(); }
    void wake() {}
#endif
};

// Threads that work on one thing together. All of them come to every `meet`.
struct Team {
    int size;
    std::atomic<int> arrived{0};
    Awaited meetings;

    explicit Team(int size) : size(size) {}

    void meet() {
        if (size == 1) return;
        const int meeting = meetings.value.load(std::memory_order_relaxed);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) == size - 1) {
            arrived.store(0, std::memory_order_relaxed);
            meetings.set(meeting + 1);
            return;
        }
        meetings.wait(meeting);
    }
};

struct Member {
    Team &team;
    int rank;

    // The part of `count` things that this member does.
    int from(int count) const { return int(int64_t(count) * rank / team.size); }
    int to(int count) const { return int(int64_t(count) * (rank + 1) / team.size); }
    void meet() const { team.meet(); }
};

// Memory that grows and is kept for the next call.
struct Memory {
    char *start = nullptr;
    size_t size = 0;

    char *of(size_t wanted) {
        if (wanted > size) {
            free(start);
            size = (wanted + 4095) / 4096 * 4096;
            start = static_cast<char *>(aligned_alloc(4096, size));
            if (!start) size = 0;
        }
        return start;
    }
};

struct Kept {
    Memory states, attention, panel;
    ~Kept() { free(states.start), free(attention.start), free(panel.start); }
};

inline thread_local Kept kept;

// Workers that wait for something to do beside the thread that calls.
class Workers {
  public:
    // `work(rank)` on so many threads, 0 being the one that calls -> how many. 1: nothing was done, for another thread
    // has the workers.
    template <class Work>
    int run(int threads, const Work &work) {
        if (threads <= 1 || pthread_mutex_trylock(&busy)) return 1;
        threads = std::min(threads, 1 + start(threads - 1));
        call = [](const void *context, int rank) { (*static_cast<const Work *>(context))(rank); };
        context = &work;
        left.value.store(threads - 1, std::memory_order_relaxed);
        pthread_mutex_lock(&mutex);
        asked = threads - 1;
        round.fetch_add(1, std::memory_order_release);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&mutex);
        work(0);
        while (const int others = left.value.load(std::memory_order_acquire)) left.wait(others);
        pthread_mutex_unlock(&busy);
        return threads;
    }

    // How many threads `run` would have.
    int available(int threads) {
        if (threads <= 1 || pthread_mutex_trylock(&busy)) return 1;
        const int found = 1 + start(threads - 1);
        pthread_mutex_unlock(&busy);
        return std::min(threads, found);
    }

    // A process that was forked has none of its parent's threads.
    void forget() {
        pthread_mutex_init(&busy, nullptr);
        pthread_mutex_init(&mutex, nullptr);
        pthread_cond_init(&wake, nullptr);
        started = 0;
    }

  private:
    pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER, mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    std::atomic<int> round{0};
    Awaited left;
    int asked = 0, started = 0;
    void (*call)(const void *, int) = nullptr;
    const void *context = nullptr;

    struct Start {
        Workers *workers;
        int rank, round;
    };

    int start(int wanted) {
        while (started < std::min(wanted, MOST_THREADS - 1)) {
            pthread_t thread;
            auto *given = static_cast<Start *>(malloc(sizeof(Start)));
            if (given) *given = {this, started + 1, round.load()};
            if (!given || pthread_create(&thread, nullptr, loop, given)) {
                free(given);
                break;
            }
            pthread_detach(thread);
            started++;
        }
        return started;
    }

    static void *loop(void *given) {
        const Start mine = *static_cast<Start *>(given);
        free(given);
        Workers &own = *mine.workers;
        for (int seen = mine.round;;) {
            for (int spins = 0; spins < 2000 && own.round.load(std::memory_order_acquire) == seen; spins++) _mm_pause();
            pthread_mutex_lock(&own.mutex);
            while (own.round.load(std::memory_order_acquire) == seen) pthread_cond_wait(&own.wake, &own.mutex);
            seen = own.round.load(std::memory_order_acquire);
            const bool is_asked = mine.rank <= own.asked;
            pthread_mutex_unlock(&own.mutex);
            if (is_asked) {
                own.call(own.context, mine.rank);
                own.left.subtract_one();
            }
        }
    }
};

inline Workers workers;  // those of the whole library

[[maybe_unused]] inline const int forgets = pthread_atfork(nullptr, nullptr, [] { workers.forget(); });

}  // namespace albertkit

using namespace albertkit;
