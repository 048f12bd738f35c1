#pragma once

#include <napi.h>

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "binding/executor.h"
#include "binding/job.h"

namespace st::binding {

// A job that settles a promise. The JavaScript values in `keep` stay alive until then: they own the borrowed buffers.
class PromiseJob : public Job {
 public:
  using Result = std::function<Napi::Value(Napi::Env)>;

  PromiseJob(Napi::Env env, napi_deferred deferred, const JobKind& kind, const std::vector<Napi::Value>& keep,
             std::function<void()> work, Result result);
  ~PromiseJob() override;

  void settle();
  void reject(const Failure& failure);

 private:
  Napi::Env env_;
  napi_deferred deferred_;
  std::vector<napi_ref> kept_;
  Result result_;
};

// The binding's state for one JavaScript thread (the main thread or a worker), as its instance data. It keeps that
// thread's event loop alive only while jobs are pending.
class Environment : public JobOwner {
 public:
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
  explicit Environment(Napi::Env env);

  // Queues `work` for the executor thread. The promise resolves to the value of `result` (undefined without one), or
  // rejects with the exception of `work`.
  Napi::Promise enqueue(const JobKind& kind, const std::vector<Napi::Value>& keep, std::function<void()> work,
                        PromiseJob::Result result = nullptr);
  // Of a job that touches no weights.
  Napi::Promise enqueue(const std::vector<Napi::Value>& keep, std::function<void()> work,
                        PromiseJob::Result result = nullptr) {
    return enqueue(JobKind{}, keep, std::move(work), std::move(result));
  }
  // Queued jobs with this ticket never run, and their promises reject with ERR_ABORTED. Returns whether there was one.
  bool drop(uint64_t ticket);

  void finished(std::unique_ptr<Job> job) override;

 private:
  void settle_finished();
  void on_exit();
  void on_cleanup();

  Napi::Env env_;
  napi_threadsafe_function wake_ = nullptr;
  std::deque<std::unique_ptr<Job>> finished_;  // guarded by the executor's mutex
  size_t pending_ = 0;
};

// The JavaScript error of a failure: an Error with `code`.
Napi::Error to_error(Napi::Env env, const Failure& failure);

// Runs a synchronous function; its C++ exception becomes a JavaScript one.
template <typename Function>
auto throwing(Napi::Env env, Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_error(env, to_failure(std::current_exception()));
  }
}

// Runs a function that returns a promise; its C++ or JavaScript exception becomes a rejection.
Napi::Value rejecting(Napi::Env env, const std::function<Napi::Promise()>& function);

}  // namespace st::binding
