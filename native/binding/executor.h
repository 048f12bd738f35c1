#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "binding/job.h"
#include "binding/lanes.h"

namespace st::binding {

// The one thread that computes for all engines and all JavaScript threads of the process, so that LibTorch keeps a
// single pool of threads. It starts with the first job and ends with the last environment. Lanes decides which job is
// next.
//
// A query also runs inside of a bulk job: where that calls yield_here(), on the same thread, to its end, one at a time.
// The bulk job sees nothing of it, and its results are the same bits:
// - The query's engine is another one, or the bulk job only reads weights, too. Each pass has memory of its own.
// - Encoding keeps no gradients, restores the gradient mode and draws no random numbers.
// - The number of threads, on which sums of parts depend, stays as the bulk job found it.
// - A failure ends the query alone. Queries do not yield.
// - On a device, its work lies behind that of the bulk job in the same stream. There is no yield while a step is
//   recorded.
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
  // Removes the owner's queued jobs and waits for the running ones. Afterwards none of its buffers is in use.
  std::vector<std::unique_ptr<Job>> cancel(const JobOwner* owner);
  // Removes the owner's queued jobs with this ticket. What they hold is freed on the executor thread.
  std::vector<std::unique_ptr<Job>> drop(const JobOwner* owner, uint64_t ticket);
  // Drops a reference on the executor thread, so that an engine is never destroyed while a job uses it.
  void release(std::shared_ptr<void> object);

  // 0 = the machine's number. Takes effect with the next job that does not run inside of another.
  void set_threads(int threads);
  int threads();

  // Guards the state that environments share with the executor thread.
  std::mutex& mutex() { return mutex_; }

 private:
  Executor();
  void loop();
  void run(std::unique_ptr<Job> job, std::unique_lock<std::mutex>& lock);
  // Runs a query inside of `outer`, if one may.
  void give_way(const Job& outer);
  void push(std::unique_ptr<Job> job);  // with mutex_ held
  void stop_at_exit();

  std::mutex lifecycle_;  // held while the thread is being stopped, so that a new environment waits
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ran_;
  Lanes lanes_;
  std::atomic<bool> has_queries_{false};  // what the lanes say; read without the mutex at every yield
  std::vector<const Job*> running_;       // a job, and the one inside of it
  int applied_threads_ = 0;               // on the executor thread alone
  std::thread thread_;
  int environments_ = 0;
  int threads_ = 0;
  bool stopping_ = false;   // ends when the queue is empty
  bool abandoned_ = false;  // the process exits: ends after the running job
};

}  // namespace st::binding
