# H.264 frames: OpenH264 (BSD) decodes, libyuv (BSD) converts. Both are in Debian and in vcpkg.
if(NOT AVATAR_H264 STREQUAL "OFF")
  find_path(AVATAR_OPENH264_INCLUDE wels/codec_api.h)
  find_library(AVATAR_OPENH264_LIBRARY openh264)
  find_path(AVATAR_LIBYUV_INCLUDE libyuv/convert_argb.h)
  find_library(AVATAR_LIBYUV_LIBRARY yuv)
endif()
if(AVATAR_OPENH264_INCLUDE AND AVATAR_OPENH264_LIBRARY AND AVATAR_LIBYUV_INCLUDE
   AND AVATAR_LIBYUV_LIBRARY)
  target_sources(avatar_core PRIVATE src/h264_openh264.cpp)
  target_include_directories(avatar_core SYSTEM PRIVATE
    ${AVATAR_OPENH264_INCLUDE} ${AVATAR_LIBYUV_INCLUDE})
  target_link_libraries(avatar_core PUBLIC ${AVATAR_OPENH264_LIBRARY} ${AVATAR_LIBYUV_LIBRARY})
elseif(AVATAR_H264 STREQUAL "ON")
  message(FATAL_ERROR "AVATAR_H264=ON: OpenH264 or libyuv was not found")
else()
  message(STATUS "No H.264: frames come raw or as JPEG (libopenh264-dev and libyuv-dev)")
  target_sources(avatar_core PRIVATE src/h264_absent.cpp)
endif()
