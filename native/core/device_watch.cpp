#include "core/device_watch.h"

#include "core/features.h"

#if ST_HAVE_C10D

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "core/in_time.h"
#include "core/rank_store.h"

namespace st {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How often it is asked whether ranks are in trouble.
constexpr milliseconds kAsked{1000};
// How long the end of the watch is waited for.
constexpr milliseconds kEnds{1000};

}  // namespace

// The thread has a share of it, so that nobody needs to wait for its end.
struct DeviceWatch::State {
  Rules rules;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<bool()>> works;
  Clock::time_point since;  // when the first of them could begin
  Clock::time_point asked;
  std::string failure;
  bool is_given_up = false, is_over = false, has_ended = false;

  // By the system's clock: waiting by the steady one needs a newer glibc.
  template <typename Condition>
  bool wait(std::unique_lock<std::mutex>& lock, milliseconds limit, const Condition& condition) {
    return changed.wait_until(lock, std::chrono::system_clock::now() + limit, condition);
  }

  void look() {
    try {
      while (failure.empty() && !works.empty() && works.front()()) {
        works.pop_front();
        since = Clock::now();
      }
    } catch (const std::exception& error) {
      failure = c10d_reason(error);
    }
  }

  void look_for_delay(std::unique_lock<std::mutex>& lock) {
    if (!failure.empty() || works.empty()) return;
    const Clock::time_point now = Clock::now();
    if (now - since >= rules.timeout) {
      failure = "what the devices compute together took longer than the timeout of " +
                std::to_string(rules.timeout.count() / 1000) + " s";
      return;
    }
    if (now - since < rules.patience || now - asked < kAsked) return;
    asked = now;
    lock.unlock();
    // A store that does not answer is a trouble, too.
    const bool is_in_trouble = in_time(rules.trouble, rules.patience).value_or(true);
    lock.lock();
    look();
    if (is_in_trouble && failure.empty() && !works.empty()) failure = "another rank has ended or has lost the others";
  }

  void run() {
    std::unique_lock lock(mutex);
    watch(lock);
    // What it holds ends before the process does.
    rules = {};
    works.clear();
    has_ended = true;
    changed.notify_all();
  }

  void watch(std::unique_lock<std::mutex>& lock) {
    while (!is_over && !is_given_up) {
      wait(lock, rules.pause, [&] { return is_over || !failure.empty(); });
      if (is_over) return;
      look();
      look_for_delay(lock);
      if (failure.empty() || is_over) continue;
      lock.unlock();
      try {
        rules.give_up();
      } catch (const std::exception&) {
        // Then there was nothing to give up.
      }
      lock.lock();
      is_given_up = true;
      works.clear();
      changed.notify_all();
    }
  }
};

DeviceWatch::DeviceWatch(Rules rules) : state_(std::make_shared<State>()) {
  state_->rules = std::move(rules);
  std::thread([state = state_] { state->run(); }).detach();
}

DeviceWatch::~DeviceWatch() {
  std::unique_lock lock(state_->mutex);
  state_->is_over = true;
  state_->changed.notify_all();
  state_->wait(lock, kEnds, [&] { return state_->has_ended; });
}

void DeviceWatch::add(std::function<bool()> is_done) {
  const std::lock_guard lock(state_->mutex);
  if (state_->works.empty()) state_->since = Clock::now();
  state_->works.push_back(std::move(is_done));
}

std::string DeviceWatch::failure() {
  const std::lock_guard lock(state_->mutex);
  state_->look();
  return state_->failure;
}

bool DeviceWatch::wait_all(milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit;
  std::unique_lock lock(state_->mutex);
  for (;;) {
    state_->look();
    if (!state_->failure.empty()) return false;
    if (state_->works.empty()) return true;
    if (Clock::now() >= deadline) return false;
    state_->wait(lock, milliseconds(1), [&] { return !state_->failure.empty(); });
  }
}

void DeviceWatch::give_up(const std::string& why, milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  if (state_->failure.empty()) state_->failure = why;
  state_->changed.notify_all();
  state_->wait(lock, limit, [&] { return state_->is_given_up; });
}

}  // namespace st

#endif  // ST_HAVE_C10D
