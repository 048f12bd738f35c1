#include "binding/executor.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "binding/environment.h"
#include "engine/runtime.h"

namespace st::binding {

void Job::run(const std::function<void()>& prepare) {
  try {
    prepare();
    work_();
  } catch (...) {
    failure_ = to_failure(std::current_exception());
  }
  work_ = nullptr;
}

Executor& Executor::instance() {
  // Never destroyed: the thread may outlive the static objects of this library.
  static Executor* executor = new Executor;
  return *executor;
}

Executor::Executor() {
  // Node runs no clean-up hooks when the main thread calls process.exit().
  std::atexit([] { instance().stop_at_exit(); });
}

void Executor::attach() {
  std::lock_guard lifecycle(lifecycle_);
  std::lock_guard lock(mutex_);
  ++environments_;
}

void Executor::detach() {
  std::lock_guard lifecycle(lifecycle_);
  std::thread thread;
  {
    std::lock_guard lock(mutex_);
    if (--environments_ > 0) return;
    stopping_ = true;
    thread = std::move(thread_);
  }
  wake_.notify_one();
  if (thread.joinable()) thread.join();
  std::lock_guard lock(mutex_);
  stopping_ = false;
}

void Executor::stop_at_exit() {
  std::thread thread;
  {
    std::lock_guard lock(mutex_);
    // Queued jobs stay in the queue, because they hold JavaScript references that only their own thread may drop.
    abandoned_ = true;
    thread = std::move(thread_);
  }
  wake_.notify_one();
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void Executor::submit(std::unique_ptr<Job> job) {
  std::lock_guard lock(mutex_);
  push(std::move(job));
}

void Executor::push(std::unique_ptr<Job> job) {
  queue_.push_back(std::move(job));
  if (!thread_.joinable() && !abandoned_) thread_ = std::thread([this] { loop(); });
  wake_.notify_one();
}

void Executor::release(std::shared_ptr<void> object) {
  std::lock_guard lock(mutex_);
  // Without a thread, no job can be using the object, so this scope frees it.
  if (!thread_.joinable()) return;
  push(std::make_unique<Job>(nullptr, [object = std::move(object)] {}));
}

std::vector<std::unique_ptr<Job>> Executor::cancel(const Environment* owner) {
  std::unique_lock lock(mutex_);
  const auto others =
      std::stable_partition(queue_.begin(), queue_.end(), [owner](const auto& job) { return job->owner() != owner; });
  std::vector<std::unique_ptr<Job>> cancelled(std::make_move_iterator(others), std::make_move_iterator(queue_.end()));
  queue_.erase(others, queue_.end());
  ran_.wait(lock, [&] { return running_ != owner; });
  return cancelled;
}

void Executor::set_threads(int threads) {
  std::lock_guard lock(mutex_);
  threads_ = threads;
}

int Executor::threads() {
  std::lock_guard lock(mutex_);
  return threads_;
}

void Executor::loop() {
  int applied = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || abandoned_ || !queue_.empty(); });
    if (abandoned_ || queue_.empty()) return;
    std::unique_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    running_ = job->owner();
    const int wanted = threads_ > 0 ? threads_ : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));

    lock.unlock();
    job->run([&] {
      if (applied == wanted) return;
      st::set_threads(wanted);
      applied = wanted;
    });
    lock.lock();

    Environment* owner = job->owner();
    if (owner != nullptr) owner->finished(std::move(job));
    running_ = nullptr;
    ran_.notify_all();
  }
}

}  // namespace st::binding
