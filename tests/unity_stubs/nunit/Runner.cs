using System;
using System.Collections;
using System.Collections.Generic;
using System.Reflection;
using System.Threading;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.TestTools;

/// <summary>runner.exe ASSEMBLY...: runs NUnit tests, and UnityTests frame by frame; exit code 1 where
/// one fails.</summary>
internal static class Runner
{
    private static int _numPassed, _numFailed, _numIgnored;

    private static int Main(string[] assemblies)
    {
        UnityLoop.StartAudio();
        foreach (string path in assemblies)
        {
            foreach (Type type in Assembly.LoadFrom(path).GetTypes())
                foreach (MethodInfo method in type.GetMethods()) RunAll(type, method);
        }
        UnityLoop.StopAudio();
        Console.WriteLine(_numPassed + " passed, " + _numFailed + " failed, " + _numIgnored + " ignored");
        return _numFailed > 0 || _numPassed == 0 ? 1 : 0;
    }

    private static void RunAll(Type type, MethodInfo method)
    {
        foreach (TestCaseAttribute one in method.GetCustomAttributes(typeof(TestCaseAttribute), false))
            RunOne(type, method, one.Arguments);
        bool isTest = method.IsDefined(typeof(TestAttribute), false) || method.IsDefined(typeof(UnityTestAttribute), false);
        if (isTest) RunOne(type, method, new object[0]);
    }

    private static void RunOne(Type type, MethodInfo method, object[] arguments)
    {
        string name = type.Name + "." + method.Name + "(" + string.Join(", ", Array.ConvertAll(arguments, Convert.ToString)) + ")";
        object fixture = Activator.CreateInstance(type);
        try
        {
            try
            {
                Call(fixture, typeof(SetUpAttribute));
                IEnumerator steps = method.Invoke(fixture, arguments) as IEnumerator;
                if (steps != null) Play(steps);
            }
            finally
            {
                Call(fixture, typeof(TearDownAttribute));
            }
            _numPassed++;
        }
        catch (Exception error)
        {
            Exception cause = error is TargetInvocationException ? error.InnerException : error;
            if (cause is IgnoreException) _numIgnored++;
            else _numFailed++;
            Console.WriteLine((cause is IgnoreException ? "IGNORED " : "FAILED ") + name + ": " + cause);
        }
    }

    // As Unity does: yield return null waits a frame, a nested enumerator is run to its end.
    private static void Play(IEnumerator steps)
    {
        Stack<IEnumerator> running = new Stack<IEnumerator>();
        running.Push(steps);
        while (running.Count > 0)
        {
            if (!running.Peek().MoveNext())
            {
                running.Pop();
                continue;
            }
            IEnumerator nested = running.Peek().Current as IEnumerator;
            if (nested != null) running.Push(nested);
            else
            {
                UnityLoop.Step();
                Thread.Sleep(16);
            }
        }
    }

    private static void Call(object fixture, Type attribute)
    {
        foreach (MethodInfo method in fixture.GetType().GetMethods())
            if (method.IsDefined(attribute, false)) method.Invoke(fixture, null);
    }
}
