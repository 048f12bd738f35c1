#include "binding/environment.h"

#include <utility>

#include "core/error.h"

namespace st::binding {

PromiseJob::PromiseJob(Napi::Env env, napi_deferred deferred, const JobKind& kind, const std::vector<Napi::Value>& keep,
                       std::function<void()> work, Result result)
    : Job(&Environment::of(env), std::move(work), kind), env_(env), deferred_(deferred), result_(std::move(result)) {
  kept_.reserve(keep.size());
  for (const Napi::Value& value : keep) {
    napi_ref reference = nullptr;
    if (napi_create_reference(env, value, 1, &reference) != napi_ok) {
      // Otherwise the memory could be collected while the job reads it.
      for (napi_ref made : kept_) napi_delete_reference(env, made);
      throw Napi::Error::New(env);
    }
    kept_.push_back(reference);
  }
}

PromiseJob::~PromiseJob() {
  for (napi_ref reference : kept_) napi_delete_reference(env_, reference);
}

// The status of both is ignored. A failure only means that the environment is ending.
void PromiseJob::settle() {
  if (failure()) return reject(*failure());
  napi_value value = nullptr;
  try {
    value = result_ ? result_(env_) : env_.Undefined();
  } catch (const Napi::Error& error) {
    napi_reject_deferred(env_, deferred_, error.Value());
    return;
  }
  napi_resolve_deferred(env_, deferred_, value);
}

void PromiseJob::reject(const Failure& failure) {
  napi_reject_deferred(env_, deferred_, to_error(env_, failure).Value());
}

Environment::Environment(Napi::Env env) : env_(env) {
  const auto wake = [](napi_env env, napi_value, void* self, void*) {
    if (env != nullptr) static_cast<Environment*>(self)->settle_finished();
  };
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "sentence-torch"), 0, 1, nullptr, nullptr, this, wake, &wake_);
  if (status != napi_ok) throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, wake_);

  Executor::instance().attach();
  // Hooks run in reverse order: this one runs before that of the function above, and long before the instance data is
  // freed.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Environment*>(self)->on_cleanup(); }, this);

  const Napi::Value process = env.Global().Get("process");
  if (!process.IsObject()) return;
  const auto on_exit = Napi::Function::New(env, [this](const Napi::CallbackInfo&) { this->on_exit(); });
  process.As<Napi::Object>().Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), on_exit});
}

Napi::Promise Environment::enqueue(const JobKind& kind, const std::vector<Napi::Value>& keep,
                                   std::function<void()> work, PromiseJob::Result result) {
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env_, &deferred, &promise) != napi_ok) throw Napi::Error::New(env_);
  auto job = std::make_unique<PromiseJob>(env_, deferred, kind, keep, std::move(work), std::move(result));
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wake_);
  Executor::instance().submit(std::move(job));
  return Napi::Promise(env_, promise);
}

void Environment::finished(std::unique_ptr<Job> job) {
  finished_.push_back(std::move(job));
  // Never runs after on_cleanup, which waits for the running jobs. The executor reports a job before others see that it
  // has ended.
  napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Environment::settle_finished() {
  std::deque<std::unique_ptr<Job>> jobs;
  {
    std::lock_guard lock(Executor::instance().mutex());
    jobs.swap(finished_);
  }
  for (auto& job : jobs) {
    try {
      static_cast<PromiseJob&>(*job).settle();
    } catch (const Napi::Error&) {
      // The worker is being terminated. Nobody waits for the promise any more, and no exception may leave this
      // callback.
    }
    if (--pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
  }
}

bool Environment::drop(uint64_t ticket) {
  const auto dropped = Executor::instance().drop(this, ticket);
  for (const auto& job : dropped) {
    static_cast<PromiseJob&>(*job).reject({"ERR_ABORTED", "The job was dropped before it began"});
    if (--pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
  }
  return !dropped.empty();
}

// process.exit(): waits for the running job, because its libraries are about to be unloaded. Later jobs never start.
void Environment::on_exit() {
  for (auto& job : Executor::instance().cancel(this)) {
    static_cast<PromiseJob&>(*job).reject({"ERR_ABORTED", "The process is exiting"});
    if (--pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
  }
}

// The environment ends (a worker stops, or the main thread runs out of work). No JavaScript may run any more, so the
// promises stay unsettled, but the jobs must release its buffers.
void Environment::on_cleanup() {
  Executor& executor = Executor::instance();
  executor.cancel(this).clear();
  finished_.clear();
  napi_release_threadsafe_function(wake_, napi_tsfn_abort);
  executor.detach();
}

Napi::Error to_error(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  napi_value code = nullptr;
  if (napi_create_string_utf8(env, failure.code.data(), failure.code.size(), &code) == napi_ok) {
    napi_set_named_property(env, error.Value(), "code", code);
  }
  return error;
}

Napi::Value rejecting(Napi::Env env, const std::function<Napi::Promise()>& function) {
  const auto rejected = [env](napi_value reason) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(reason);
    return deferred.Promise();
  };
  try {
    return function();
  } catch (const Napi::Error& error) {
    return rejected(error.Value());
  } catch (...) {
    return rejected(to_error(env, to_failure(std::current_exception())).Value());
  }
}

}  // namespace st::binding
