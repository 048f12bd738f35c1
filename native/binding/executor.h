#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "binding/failure.h"

namespace st::binding {

class Environment;

// Work for the executor thread. `work` runs there and touches no Node-API; it is destroyed there, with what it
// captured.
class Job {
 public:
  Job(Environment* owner, std::function<void()> work) : owner_(owner), work_(std::move(work)) {}
  virtual ~Job() = default;

  Environment* owner() const { return owner_; }
  const std::optional<Failure>& failure() const { return failure_; }

  void run(const std::function<void()>& prepare);

 private:
  Environment* owner_;  // null for releases
  std::function<void()> work_;
  std::optional<Failure> failure_;
};

// The one thread that computes, shared by all engines and all JavaScript threads of the process: jobs run first in,
// first out, and LibTorch keeps a single pool of threads. It starts with the first job and ends with the last
// environment.
//
// Which thread may touch what. A JavaScript thread has no lock on an engine, only the order of its jobs:
// - Engines (Encoder, Trainer) belong to the executor thread from their first job on: weights, gradients, moments,
//   counters, workspaces, the compute dtype. Jobs alone read and write them, and the executor destroys them.
// - A JavaScript thread makes an engine, and may read for ever what its constructor has fixed: names, shapes and layout
//   of tensors, sizes, device, losses. What is cheap to keep a wrapper keeps itself. The constructor of a trainer also
//   reads the compute dtype of its encoder, which only a trainer's jobs write: Encoder::Impl::has_trainer, taken by the
//   constructor and let go by the last of those jobs, orders the two.
// - Trainer::set_groups() writes on a JavaScript thread what jobs read: the wrapper refuses it once a job was queued.
// - `disposed` of an encoder and `has_trainer` are atomic. Flags of wrappers (disposed_, has_jobs_) and pending_ of an
//   environment belong to that environment's JavaScript thread.
// - The queue, finished_ of environments and the number of threads are guarded by mutex_, the profile by a mutex of its
//   own. What the process knows of its machine is made once and never changes (runtime_info, kernels::chosen).
// - Memory of the caller that a job borrows belongs to the job until its promise settles.
class Executor {
 public:
  static Executor& instance();

  // An environment that may submit jobs. `detach` follows its last `cancel`; the last one stops the thread.
  void attach();
  void detach();

  void submit(std::unique_ptr<Job> job);
  // Takes the environment's queued jobs back and waits for the one that runs: afterwards none of its buffers is in use.
  std::vector<std::unique_ptr<Job>> cancel(const Environment* owner);
  // Drops a reference on the executor thread, so that an engine is never destroyed beside a job that uses it.
  void release(std::shared_ptr<void> object);

  // 0 = as many as the machine has. Takes effect with the next job.
  void set_threads(int threads);
  int threads();

  // Guards what environments share with the executor thread.
  std::mutex& mutex() { return mutex_; }

 private:
  Executor();
  void loop();
  void push(std::unique_ptr<Job> job);  // with mutex_ held
  void stop_at_exit();

  std::mutex lifecycle_;  // held while the thread is being stopped, so that a new environment waits for that
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ran_;
  std::deque<std::unique_ptr<Job>> queue_;
  const Environment* running_ = nullptr;
  std::thread thread_;
  int environments_ = 0;
  int threads_ = 0;
  bool stopping_ = false;   // ends when the queue is empty
  bool abandoned_ = false;  // the process exits: ends after the running job
};

}  // namespace st::binding
