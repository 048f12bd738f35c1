#include "binding/executor.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "core/yield.h"
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
  lanes_.push(std::move(job));
  has_queries_ = lanes_.has_queries();
  if (!thread_.joinable() && !abandoned_) thread_ = std::thread([this] { loop(); });
  wake_.notify_one();
}

void Executor::release(std::shared_ptr<void> object) {
  std::lock_guard lock(mutex_);
  // Without a thread, no job can be using the object, so this scope frees it.
  if (!thread_.joinable()) return;
  push(std::make_unique<Job>(nullptr, [object = std::move(object)] {}));
}

std::vector<std::unique_ptr<Job>> Executor::cancel(const JobOwner* owner) {
  std::unique_lock lock(mutex_);
  auto cancelled = lanes_.remove([owner](const Job& job) { return job.owner() == owner; });
  has_queries_ = lanes_.has_queries();
  ran_.wait(lock, [&] {
    return std::none_of(running_.begin(), running_.end(), [owner](const Job* job) { return job->owner() == owner; });
  });
  return cancelled;
}

std::vector<std::unique_ptr<Job>> Executor::drop(const JobOwner* owner, uint64_t ticket) {
  std::unique_lock lock(mutex_);
  auto dropped =
      lanes_.remove([&](const Job& job) { return job.owner() == owner && ticket != 0 && job.kind().ticket == ticket; });
  has_queries_ = lanes_.has_queries();
  lock.unlock();
  for (const auto& job : dropped) release(std::make_shared<std::function<void()>>(job->take_work()));
  return dropped;
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
  applied_threads_ = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || abandoned_ || !lanes_.empty(); });
    if (abandoned_ || lanes_.empty()) return;
    run(lanes_.next(), lock);
  }
}

void Executor::give_way(const Job& outer) {
  if (!has_queries_) return;
  std::unique_lock lock(mutex_);
  if (abandoned_) return;
  if (std::unique_ptr<Job> query = lanes_.next_inside(outer)) run(std::move(query), lock);
}

void Executor::run(std::unique_ptr<Job> job, std::unique_lock<std::mutex>& lock) {
  has_queries_ = lanes_.has_queries();
  const bool is_inside = !running_.empty();
  running_.push_back(job.get());
  const int wanted = threads_ > 0 ? threads_ : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));

  lock.unlock();
  const std::function<void()> give = [this, &job] { give_way(*job); };
  {
    std::optional<Yields> yields;
    // A query is somebody who waits: others come after it.
    if (!is_inside && job->kind().yields && job->kind().lane == Lane::kBulk) yields.emplace(give);
    job->run([&] {
      if (is_inside || applied_threads_ == wanted) return;
      st::set_threads(wanted);
      applied_threads_ = wanted;
    });
  }
  lock.lock();

  running_.pop_back();
  if (JobOwner* owner = job->owner(); owner != nullptr) owner->finished(std::move(job));
  ran_.notify_all();
}

}  // namespace st::binding
