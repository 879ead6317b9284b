/* The wall clock of a process and its children, SHIFT seconds away from the machine's: preloaded by scripts/test_at.sh.
 *
 * Clocks that only run forward (CLOCK_MONOTONIC) stay as they are, and so do the times of files: Python compares those of its
 * sources with the ones in its caches. A deadline on the wall clock is shifted back, or a wait of a second would last hours.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const time_t NEVER_UP_SO_LONG = 1000000000; /* seconds; a later deadline is one of the wall clock */

static struct timespec machines(const struct timespec *deadline) {
    return (struct timespec){.tv_sec = deadline->tv_sec - SHIFT, .tv_nsec = deadline->tv_nsec};
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += SHIFT;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    *now = (struct timeval){.tv_sec = found.tv_sec, .tv_usec = found.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    struct timespec until = machines(deadline);
    return sem_clockwait(semaphore, CLOCK_REALTIME, &until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline) {
    struct timespec until = machines(deadline);
    return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &until);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline
) {
    struct timespec until = machines(deadline);
    if (deadline->tv_sec < NEVER_UP_SO_LONG) return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, deadline);
    return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &until);
}
