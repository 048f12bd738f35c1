// The only file of the binding that uses LibTorch, whose exceptions are told apart here.
#include "binding/failure.h"

#include <c10/util/Exception.h>

#include <new>

#include "core/error.h"

namespace st::binding {
namespace {

Failure out_of_memory(const std::string& detail) {
  std::string message =
      "Out of memory: lower perDeviceTrainBatchSize or maxSeqLength (training) or batchSize (encoding)";
  if (!detail.empty()) message += ". " + detail;
  return {"ERR_OUT_OF_MEMORY", message};
}

// The CPU allocator reports exhaustion as a plain c10::Error.
bool is_cpu_allocation(const std::string& message) {
  return message.find("DefaultCPUAllocator") != std::string::npos;
}

}  // namespace

Failure to_failure(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what()};
  } catch (const c10::OutOfMemoryError& e) {
    return out_of_memory(e.what_without_backtrace());
  } catch (const c10::Error& e) {
    const std::string message = e.what_without_backtrace();
    return is_cpu_allocation(message) ? out_of_memory(message) : Failure{"ERR_LIBTORCH", message};
  } catch (const std::bad_alloc&) {
    return out_of_memory("");
  } catch (const std::exception& e) {
    return {"ERR_LIBTORCH", e.what()};
  } catch (...) {
    return {"ERR_LIBTORCH", "An unknown C++ exception"};
  }
}

}  // namespace st::binding
