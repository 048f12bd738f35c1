#include "emulation.h"

#include <ucontext.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "cuda_runtime.h"
#include "memory_check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#endif

EmulatedPlace emulated_place;

namespace {
constexpr size_t kSharedBytes = 48 * 1024;  // what every device has for a block, without being asked for more
}

namespace st::cuda {
// What kernels.cu declares as the shared memory of a block.
extern float shared_memory[];
alignas(16) float shared_memory[kSharedBytes / sizeof(float)];
}  // namespace st::cuda

namespace st::emulation {

namespace {

constexpr int kLanes = 32, kMostThreads = 1024;
constexpr unsigned kMostBlocksYZ = 65535;
constexpr size_t kStackBytes = 128 * 1024;
constexpr size_t kMostFaults = 5;  // of a launch

struct Exchange {
  enum Kind { kNone, kBlockBarrier, kWarpBarrier, kShuffle } kind = kNone;
  unsigned mask = 0;
  int lanes = 0;
  uint64_t bits = 0;

  bool matches(const Exchange& other) const { return kind == other.kind && mask == other.mask && lanes == other.lanes; }
};

const char* name_of(Exchange::Kind kind) {
  constexpr const char* kNames[] = {"runs", "waits at __syncthreads", "waits at __syncwarp", "waits at a shuffle"};
  return kNames[kind];
}

struct Thread {
  ucontext_t context;
  std::unique_ptr<std::byte[]> stack;
  uint3 place;
  Moment moment;
  bool has_ended;
  Exchange waits;
};

struct Kernel {
  void (*run)(const void* call);
  std::vector<std::byte> call;
};

// The launch that runs, and all that tests set.
class Machine {
 public:
  Order order = Order::kAscending;
  std::mt19937_64 random;
  MemoryCheck memory;
  std::string faults;

  bool run(const cudaLaunchConfig_t& config, const Kernel& kernel) {
    kernel_ = &kernel;
    faults_left_ = kMostFaults;
    emulated_place.threads = config.blockDim;
    emulated_place.blocks = config.gridDim;
    memory.start_launch();
    const size_t before = faults.size();
    const dim3 grid = config.gridDim;
    std::vector<int32_t> blocks(size_t{grid.x} * grid.y * grid.z);
    std::iota(blocks.begin(), blocks.end(), 0);
    arrange(blocks);
    for (int32_t block : blocks) {
      const auto number = static_cast<unsigned>(block);
      emulated_place.block = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
      if (!run_block(block, config.dynamicSmemBytes)) break;
    }
    running_ = nullptr;
    return faults.size() == before;
  }

  // A thread waits for others here.
  uint64_t wait(const Exchange& exchange) {
    running_->waits = exchange;
    to_scheduler();
    return running_->waits.bits;
  }

  void access(const void* address, size_t bytes, bool is_write) {
    if (running_ == nullptr) return;
    const auto is_in = [&](const void* first, size_t size) {
      return address >= first && address < static_cast<const std::byte*>(first) + size;
    };
    // What a thread has for itself.
    if (is_in(running_->stack.get(), kStackBytes) || is_in(&emulated_place, sizeof(emulated_place)) ||
        is_in(kernel_->call.data(), kernel_->call.size())) {
      return;
    }
    MemoryCheck& check = is_in(st::cuda::shared_memory, kSharedBytes) ? shared_ : memory;
    const std::string problem = check.access(address, bytes, is_write, running_->moment);
    if (!problem.empty()) fault(problem);
  }

  // Where a thread begins.
  void begin_thread() {
    arrived();
    kernel_->run(kernel_->call.data());
    running_->has_ended = true;
    to_scheduler();
  }

 private:
  template <typename T>
  void arrange(std::vector<T>& items) {
    if (order == Order::kDescending) std::reverse(items.begin(), items.end());
    if (order == Order::kRandom) std::shuffle(items.begin(), items.end(), random);
  }

  void fault(const std::string& what) {
    if (faults_left_ == 0) return;
    faults += what + "\n";
    faults_left_--;
  }

  bool run_block(int32_t block, size_t shared_bytes) {
    const dim3 size = emulated_place.threads;
    const int count = static_cast<int>(size.x * size.y * size.z);
    while (static_cast<int>(threads_.size()) < count) {
      threads_.push_back(std::make_unique<Thread>());
      threads_.back()->stack.reset(new std::byte[kStackBytes]);
    }
    // Nobody may read what nobody has written.
    std::fill_n(st::cuda::shared_memory, kSharedBytes / sizeof(float), std::nanf(""));
    shared_.forget();
    shared_.allow(st::cuda::shared_memory, shared_bytes, sizeof(float), true);
    ASAN_POISON_MEMORY_REGION(reinterpret_cast<std::byte*>(st::cuda::shared_memory) + shared_bytes,
                              kSharedBytes - shared_bytes);
    count_ = count;
    ready_.clear();
    for (int i = 0; i < count; ++i) start(i, block, size);
    arrange(ready_);
    std::reverse(ready_.begin(), ready_.end());
    while (!ready_.empty()) {
      Thread& next = *threads_[ready_.back()];
      ready_.pop_back();
      resume(next);
      if (next.has_ended || next.waits.kind == Exchange::kNone) continue;
      if (next.waits.kind == Exchange::kBlockBarrier) {
        release_block();
      } else {
        release_warp(next.moment.warp);
      }
    }
    ASAN_UNPOISON_MEMORY_REGION(st::cuda::shared_memory, kSharedBytes);
    return all_ended();
  }

  void start(int i, int32_t block, const dim3& size) {
    Thread& thread = *threads_[i];
    const auto number = static_cast<unsigned>(i);
    thread.place = {number % size.x, number / size.x % size.y, number / size.x / size.y};
    thread.moment = {block, static_cast<int16_t>(i), static_cast<int16_t>(i / kLanes), 0, 0};
    thread.has_ended = false;
    thread.waits = Exchange();
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = kStackBytes;
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, &Machine::entry, 0);
    ready_.push_back(i);
  }

  static void entry();

  void release_block() {
    for (int i = 0; i < count_; ++i) {
      if (threads_[i]->waits.kind != Exchange::kBlockBarrier) return;
    }
    for (int i = count_ - 1; i >= 0; --i) {
      threads_[i]->waits = Exchange();
      threads_[i]->moment.block_barriers++;
    }
    ready_again(0, count_);
  }

  void release_warp(int warp) {
    const int first = warp * kLanes, end = std::min(first + kLanes, count_);
    const Exchange exchange = threads_[first]->waits;
    for (int i = first; i < end; ++i) {
      if (threads_[i]->has_ended || !threads_[i]->waits.matches(exchange)) return;
    }
    uint64_t bits[kLanes] = {};
    for (int i = first; i < end; ++i) bits[i - first] = threads_[i]->waits.bits;
    for (int i = first; i < end; ++i) {
      Thread& thread = *threads_[i];
      const int from = (i - first) ^ exchange.lanes;
      // Who asks for a lane outside of its warp keeps its own.
      const bool inside = from < end - first;
      thread.waits = Exchange();
      thread.waits.bits = bits[inside ? from : i - first];
      // Exchanging values orders no accesses to memory.
      if (exchange.kind == Exchange::kWarpBarrier) thread.moment.warp_barriers++;
    }
    ready_again(first, end);
  }

  void ready_again(int first, int end) {
    std::vector<int> released(static_cast<size_t>(end - first));
    std::iota(released.begin(), released.end(), first);
    arrange(released);
    ready_.insert(ready_.end(), released.rbegin(), released.rend());
  }

  bool all_ended() {
    for (int i = 0; i < count_; ++i) {
      const Thread& thread = *threads_[i];
      if (thread.has_ended) continue;
      const auto ended =
          std::count_if(threads_.begin(), threads_.begin() + count_, [](const auto& t) { return t->has_ended; });
      fault("thread " + std::to_string(i) + " of block " + std::to_string(thread.moment.block) + " " +
            name_of(thread.waits.kind) + " that others do not reach; " + std::to_string(ended) + " of " +
            std::to_string(count_) + " threads have ended");
      return false;
    }
    return true;
  }

  void resume(Thread& thread) {
    running_ = &thread;
    emulated_place.thread = thread.place;
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, thread.stack.get(), kStackBytes);
#endif
    swapcontext(&scheduler_, &thread.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }

  void to_scheduler() {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(running_->has_ended ? nullptr : &fake, host_stack_, host_stack_bytes_);
#endif
    swapcontext(&running_->context, &scheduler_);
    arrived();
  }

  // A thread runs again, or for the first time.
  void arrived() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &host_stack_, &host_stack_bytes_);
#endif
  }

  const Kernel* kernel_ = nullptr;
  size_t faults_left_ = 0;
  MemoryCheck shared_;
  std::vector<std::unique_ptr<Thread>> threads_;
  int count_ = 0;
  std::vector<int> ready_;  // the last one runs next
  Thread* running_ = nullptr;
  ucontext_t scheduler_;
#if defined(__SANITIZE_ADDRESS__)
  const void* host_stack_ = nullptr;
  size_t host_stack_bytes_ = 0;
#endif
};

Machine& machine() {
  static Machine machine;
  return machine;
}

void Machine::entry() {
  machine().begin_thread();
}

cudaError_t last_error = cudaSuccess;

cudaError_t failed(cudaError_t error) {
  last_error = error;
  return error;
}

}  // namespace

void set_order(Order order, uint64_t seed) {
  machine().order = order;
  machine().random.seed(seed);
}

void allow(const void* memory, size_t bytes, size_t number, bool writable) {
  machine().memory.allow(memory, bytes, number, writable);
}

void forget_memory() {
  machine().memory.forget();
}

std::string take_faults() {
  return std::exchange(machine().faults, "");
}

}  // namespace st::emulation

using st::emulation::Exchange;
using st::emulation::failed;
using st::emulation::machine;

struct CUstream_st {
  std::deque<std::function<bool()>> queue;
};

namespace {

CUstream_st& queue_of(cudaStream_t stream) {
  static CUstream_st null_stream;
  return stream == nullptr ? null_stream : *stream;
}

}  // namespace

void __syncthreads() {
  machine().wait({Exchange::kBlockBarrier});
}

void __syncwarp(unsigned mask) {
  machine().wait({Exchange::kWarpBarrier, mask});
}

uint64_t emulated_shuffle_xor(unsigned mask, uint64_t bits, int lanes) {
  return machine().wait({Exchange::kShuffle, mask, lanes, bits});
}

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess                     ? "no error"
         : error == cudaErrorInvalidConfiguration ? "invalid configuration argument"
                                                  : "unspecified launch failure";
}

cudaError_t cudaGetLastError() {
  return std::exchange(st::emulation::last_error, cudaSuccess);
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = new CUstream_st;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  std::deque<std::function<bool()>>& queue = queue_of(stream).queue;
  while (!queue.empty()) {
    const std::function<bool()> launch = std::move(queue.front());
    queue.pop_front();
    if (!launch()) {
      queue.clear();
      return failed(cudaErrorLaunchFailure);
    }
  }
  return cudaSuccess;
}

cudaError_t emulated_launch(const cudaLaunchConfig_t& config, void (*run)(const void* call), const void* call,
                            size_t bytes) {
  const auto [blocks, threads, shared_bytes, stream] = config;
  const bool fits = blocks.x > 0 && blocks.y > 0 && blocks.z > 0 && blocks.x <= 0x7FFFFFFFu &&
                    blocks.y <= st::emulation::kMostBlocksYZ && blocks.z <= st::emulation::kMostBlocksYZ &&
                    threads.x > 0 && threads.y > 0 && threads.z > 0 &&
                    uint64_t{threads.x} * threads.y * threads.z <= st::emulation::kMostThreads && threads.z <= 64 &&
                    shared_bytes <= kSharedBytes;
  if (!fits) return failed(cudaErrorInvalidConfiguration);
  const auto* first = static_cast<const std::byte*>(call);
  const st::emulation::Kernel kernel{run, {first, first + bytes}};
  queue_of(stream).queue.emplace_back([config, kernel] { return machine().run(config, kernel); });
  return cudaSuccess;
}

// What g++ -fsanitize=thread writes around each access to memory. These are ours, not those of its library.
#define ST_ACCESS(bytes)                               \
  extern "C" void __tsan_read##bytes(void* address) {  \
    machine().access(address, bytes, false);           \
  }                                                    \
  extern "C" void __tsan_write##bytes(void* address) { \
    machine().access(address, bytes, true);            \
  }
ST_ACCESS(1)
ST_ACCESS(2)
ST_ACCESS(4)
ST_ACCESS(8)
ST_ACCESS(16)
extern "C" void __tsan_read_range(void* address, size_t bytes) {
  machine().access(address, bytes, false);
}
extern "C" void __tsan_write_range(void* address, size_t bytes) {
  machine().access(address, bytes, true);
}
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
