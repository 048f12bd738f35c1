// A step as a CUDA graph.
#include "core/error.h"
#include "core/features.h"
#include "ops/cuda.h"
#if ST_WITH_CUDA
#include <ATen/Context.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <mutex>
#endif

namespace st::cuda {

bool is_recording() {
#if ST_WITH_CUDA
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  C10_CUDA_CHECK(cudaStreamIsCapturing(c10::cuda::getCurrentCUDAStream(), &status));
  return status != cudaStreamCaptureStatusNone;
#else
  return false;
#endif
}

void refuse_recording(const char* what) {
  check(!is_recording(), "ERR_UNSUPPORTED", "A step with ", what, " cannot be recorded");
}

#if ST_WITH_CUDA

namespace {

class Graph : public RecordedWork {
 public:
  explicit Graph(at::Device device) : device_(device) {}

  void record(const at::cuda::MempoolId_t& pool, const std::function<void()>& work) {
    // Other threads continue to allocate and to query events. Only this one is checked.
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      abandon(pool);
      throw;
    }
    graph_.capture_end();
  }

  void replay(uint64_t seed) override {
    {
      at::Generator generator = at::globalContext().defaultGenerator(device_);
      const std::lock_guard lock(generator.mutex());
      generator.set_current_seed(seed);
    }
    graph_.replay();
  }

 private:
  // Ends a failed recording. Its errors repeat the original one.
  void abandon(const at::cuda::MempoolId_t& pool) noexcept {
    try {
      graph_.capture_end();
      return;
    } catch (...) {
    }
    try {
      // capture_end() has thrown before reaching this.
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device_.index(), pool);
    } catch (...) {
    }
    cudaGetLastError();
  }

  at::Device device_;
  at::cuda::CUDAGraph graph_;
};

// While it lives, work goes to another stream: after the current stream's queued work, and before its following work.
class Detour {
 public:
  explicit Detour(const c10::cuda::CUDAStream& stream)
      : stream_(stream), back_(c10::cuda::getCurrentCUDAStream(stream.device_index())), guard_(stream) {
    at::cuda::CUDAEvent before;
    before.record(back_);
    before.block(stream_);
  }
  ~Detour() {
    try {
      at::cuda::CUDAEvent after;
      after.record(stream_);
      after.block(back_);
    } catch (...) {
      // The device is lost, which the next call reports.
    }
  }
  Detour(const Detour&) = delete;
  Detour& operator=(const Detour&) = delete;

 private:
  c10::cuda::CUDAStream stream_, back_;
  c10::cuda::CUDAStreamGuard guard_;
};

class GraphRecorder : public Recorder {
 public:
  explicit GraphRecorder(at::Device device)
      : device_(device),
        stream_(c10::cuda::getStreamFromPool(false, device.index())),
        pool_(at::cuda::graph_pool_handle()) {}

  void warm_up(const std::function<void()>& work) override {
    const Detour detour(stream_);
    work();
  }

  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override {
    auto graph = std::make_unique<Graph>(device_);
    const Detour detour(stream_);
    stream_.synchronize();
    graph->record(pool_, work);
    return graph;
  }

 private:
  at::Device device_;
  c10::cuda::CUDAStream stream_;
  // One for all graphs: they share memory that a graph needs only while it runs.
  at::cuda::MempoolId_t pool_;
};

}  // namespace

std::unique_ptr<Recorder> make_recorder(at::Device device) {
  return std::make_unique<GraphRecorder>(device);
}

#else

std::unique_ptr<Recorder> make_recorder(at::Device device) {
  fail("ERR_UNSUPPORTED", "Steps are recorded by CUDA builds on CUDA devices, not on ", device.str());
}

#endif

}  // namespace st::cuda
