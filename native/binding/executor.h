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

// Work for the executor thread. `work` runs and is destroyed there, with its captures, and uses no Node-API.
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

// The one thread that computes for all engines and all JavaScript threads of the process. Jobs run first in, first
// out, and LibTorch keeps a single pool of threads. The thread starts with the first job and ends with the last
// environment.
//
// Rules for threads. A JavaScript thread has no lock on an engine, only the order of its jobs:
// - Engines (Encoder, Trainer) and tensors (TensorSpace) belong to the executor thread from their first job on:
//   weights, gradients, moments, counters, workspaces, the compute dtype, autograd's graphs. Only jobs read and write
//   them, and the executor destroys them.
// - A JavaScript thread creates an engine, and may always read values that its constructor has fixed: names, shapes
//   and layout of tensors, sizes, device, losses. A wrapper copies cheap ones. The constructor of a trainer also reads
//   the compute dtype of its encoder, which only a trainer's jobs write. Encoder::Impl::has_trainer orders the two: the
//   constructor takes it, and the last of those jobs releases it.
// - Trainer::set_groups() writes values on a JavaScript thread that jobs read. The wrapper refuses it after the first
//   job was queued.
// - `disposed` of an encoder and `has_trainer` are atomic. Flags of wrappers (disposed_, has_jobs_) and pending_ of
//   an environment belong to that environment's JavaScript thread.
// - mutex_ guards the queue, finished_ of environments and the number of threads. The profile has its own mutex.
//   Facts about the machine are computed once and never change (runtime_info, kernels::chosen).
// - The caller's memory that a job borrows belongs to the job until its promise settles.
class Executor {
 public:
  static Executor& instance();

  // An environment that may submit jobs. `detach` follows its last `cancel`. The last environment stops the thread.
  void attach();
  void detach();

  void submit(std::unique_ptr<Job> job);
  // Removes the environment's queued jobs and waits for the running one. Afterwards none of its buffers is in use.
  std::vector<std::unique_ptr<Job>> cancel(const Environment* owner);
  // Drops a reference on the executor thread, so that an engine is never destroyed while a job uses it.
  void release(std::shared_ptr<void> object);

  // 0 = the machine's number. Takes effect with the next job.
  void set_threads(int threads);
  int threads();

  // Guards the state that environments share with the executor thread.
  std::mutex& mutex() { return mutex_; }

 private:
  Executor();
  void loop();
  void push(std::unique_ptr<Job> job);  // with mutex_ held
  void stop_at_exit();

  std::mutex lifecycle_;  // held while the thread is being stopped, so that a new environment waits
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
